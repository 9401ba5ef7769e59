// Runs inside the iframe and reports its height to the page around it. The height is no secret, and the frame's policy
// already restricts which pages may embed it; the receiver checks the origin of the message.
//
// WordPress puts unknown pages into a frame that may run scripts but not submit forms, and uses a protocol of its own
// (wp-embed.js): the height, and a link that the page around may follow.
if (parent !== window) {
  const secret = /secret=(\w+)/.exec(location.hash)?.[1];
  const tell = (message, value) => secret && parent.postMessage({ message, value, secret }, "*");
  new ResizeObserver(() => {
    const height = document.documentElement.offsetHeight;
    parent.postMessage({ canvassHeight: height }, "*");
    tell("height", height);
  }).observe(document.documentElement);
  if (origin === "null") {
    const poll = document.querySelector("canvass-poll form")?.action;
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a, button");
      if (!link) return;
      event.preventDefault();
      tell("link", link.href ?? poll);
    }, true);
  }
}

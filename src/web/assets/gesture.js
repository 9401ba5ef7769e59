// Only a person presses these buttons: mail scanners run scripts, submit forms and click on what looks like a button.
//
//   <form data-press>           is marked as untouched until a person has touched the page
//   <form data-press="choice">  besides, a tap on the answer that is selected already sends it
//
// Browsers say which events a person caused; a script cannot claim it. The pages are whole without this file.

const forms = [...document.querySelectorAll("form[data-press]")];
const marks = forms.map((form) => {
  const mark = Object.assign(document.createElement("input"), { type: "hidden", name: "untouched", value: "1" });
  form.append(mark);
  return mark;
});
const touched = () => marks.forEach((mark) => mark.remove());

for (const type of ["pointerdown", "touchstart", "keydown", "click"]) {
  addEventListener(type, (event) => event.isTrusted && touched(), { capture: true, passive: true });
}
// Whoever works the page through something that swallows the events has still been noticed by the browser.
addEventListener("submit", () => navigator.userActivation?.hasBeenActive && touched(), { capture: true });

// The server takes no vote sooner than 0.7 s after it gave the page: a quick thumb waits here instead of being asked again.
const PAUSE = 750;
const given = performance.getEntriesByType("navigation")[0]?.responseStart ?? 0;

for (const form of document.querySelectorAll('form[data-press="choice"]')) {
  form.addEventListener("submit", (event) => {
    const left = PAUSE - (performance.now() - given);
    if (left <= 0) return;
    event.preventDefault();
    setTimeout(() => form.requestSubmit(), left);
  });

  // Selecting another answer sends nothing: only a second tap, on what is selected, does. Keys never do: arrows select.
  const alone = form.querySelectorAll("fieldset").length === 1;
  if (!alone || form.querySelector("input:not([type=radio], [type=hidden]), select")) continue;
  const selected = (event) => event.target.closest("label")?.querySelector("input[type=radio]:checked");
  let ready = null;
  form.addEventListener("pointerdown", (event) => {
    ready = event.isTrusted && event.isPrimary && event.button === 0 ? selected(event) : null;
  });
  form.addEventListener("click", (event) => {
    if (!event.isTrusted || !ready || selected(event) !== ready) return;
    ready = null;
    form.requestSubmit();
  });
  const words = document.querySelector("[data-tap]");
  if (words) words.textContent = words.dataset.tap;
}

// Loaded by every editors' page. The pages work without it; it adds some conveniences:
//
//   <section id="…" data-live="2000">   the part is re-fetched from this page's own address every 2,000 ms
//                                       and replaced, while the page is visible and nobody works inside the part;
//                                       if it is no longer on the page, or no longer live, the whole page is loaded again
//   <span data-when-live hidden>        inside it, text that is shown only then
//   <div tabindex="-1" data-done>       says what was just done, and gets the focus
//   <div class="copy" data-copy>        gets a button that copies its textarea

const seen = () => document.visibilityState === "visible";

// Whether the focus or the text selection is in a part.
function isInUse(part) {
  const marked = getSelection();
  return part.contains(document.activeElement) || (!marked.isCollapsed && part.contains(marked.anchorNode));
}

const sayLive = (part) => part.querySelectorAll("[data-when-live]").forEach((words) => { words.hidden = false; });

// Keeps opened details open, and horizontal scroll positions.
function carryOver(from, to) {
  const wasOpen = from.querySelectorAll("details");
  to.querySelectorAll("details").forEach((details, n) => { details.open = wasOpen[n]?.open ?? details.open; });
  const places = [...from.querySelectorAll(".table-wrap")].map((wrap) => wrap.scrollLeft);
  from.replaceWith(to);
  to.querySelectorAll(".table-wrap").forEach((wrap, n) => { wrap.scrollLeft = places[n] ?? 0; });
}

// Says at the top of a part that it is outdated. The part that replaces it has no such line.
function sayOutdated(part, text, link) {
  let line = part.querySelector(":scope > [data-outdated]");
  if (!line) {
    line = Object.assign(document.createElement("div"), { className: "notice is-wait" });
    line.setAttribute("role", "status");
    line.dataset.outdated = "";
    part.prepend(line);
  }
  const words = Object.assign(document.createElement("p"), { textContent: text });
  if (link) words.append(" ", Object.assign(document.createElement("a"), { href: location.href, textContent: link }));
  line.replaceChildren(words);
}

// What came instead of the page: from a proxy whose server is away, for example. The message is its status.
class Strange extends Error {}

const isSignIn = (answer) => answer.redirected && new URL(answer.url).pathname === "/admin/sign-in";

function keepLive(id, pause) {
  let failures = 0;
  let current = new Date();
  const again = () => setTimeout(tick, Math.min(pause * 2 ** failures, 60_000));
  async function tick() {
    const part = document.getElementById(id);
    if (!seen() || isInUse(part)) return again();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (isSignIn(answer)) {
        sayOutdated(part, "You are signed out, so this is no longer updated.", "Sign in again");
        failures += 1;
        return again();
      }
      // What is gone is not found: our own page then says so, with the body of every editors' page.
      if (!answer.ok && answer.status !== 404) throw new Strange(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!page.body.matches(".desk")) throw new Strange(answer.status);
      const fresh = page.getElementById(id);
      // Checked again, because the response took some time.
      if (!isInUse(part)) {
        // The page is another one by now, with scripts of its own: an issue that waited for its time goes out.
        if (!fresh?.dataset.live) return location.reload();
        sayLive(fresh);
        carryOver(part, document.adoptNode(fresh));
        current = new Date();
      }
      failures = 0;
    } catch (error) {
      failures += 1;
      const why = error instanceof Strange ? `something else came instead of it (status ${error.message})` : "the server does not respond";
      const at = current.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
      // A single failure is usually over before anybody notices.
      if (failures > 1) sayOutdated(part, `Not updated since ${at} by this computer’s clock, because ${why}. Trying again…`);
    }
    again();
  }
  again();
}

for (const part of document.querySelectorAll("[data-live]")) {
  if (!part.id) continue;
  sayLive(part);
  keepLive(part.id, Math.max(Number(part.dataset.live) || 2000, 500));
}

// Screen readers ignore a status that is present at load, so the notice of what was just done gets the focus, unless the address has a fragment.
if (!location.hash) document.querySelector("[data-done]")?.focus({ preventScroll: true });

// On a phone the row of tabs is wider than the page: scroll the current one into view.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Escape closes the menu and returns the focus to its button.
document.querySelector(".menu")?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !event.currentTarget.open) return;
  event.currentTarget.open = false;
  event.currentTarget.querySelector("summary").focus();
});

for (const box of document.querySelectorAll("[data-copy]")) {
  const text = box.querySelector("textarea");
  if (!text || !navigator.clipboard) continue;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "Copy" });
  const said = Object.assign(document.createElement("span"), { className: "sr" });
  said.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.value);
      button.textContent = said.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 3000);
    } catch {
      text.select();
    }
  });
  box.append(button, said);
}

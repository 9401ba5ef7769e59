// The composer works without this file: its buttons save and show the preview. It adds:
//
//   - saving and a new preview with its advice shortly after the last key press;
//   - buttons and shortcuts for Markdown (Ctrl or ⌘ with B, I, K), a poll picker, Ctrl+S;
//   - changing the view without leaving the page.
//
// The preview is not rendered here: it is fetched from the server, which uses the code that sends.

const form = document.getElementById("composer");
const body = document.getElementById("body");
const frame = document.getElementById("preview");
const saved = document.getElementById("saved");
const trouble = document.getElementById("trouble");
let savedAt = saved.querySelector("time")?.textContent;
const mac = /Mac|iPhone|iPad/.test(navigator.platform);

// --- saving ---

const PAUSE = 700;
let timer;
let running = false;
let again = false;
// Saving has ended for good; the text may still be unsaved.
let stopped = false;
// The form itself is being sent.
let leaving = false;
// A save whose answer did not come: whether it was stored, and under which revision, is not known.
let unsure = null;
// A button that was pressed during a save.
let pressed = null;
let stored = words();

function words() {
  const data = new FormData(form);
  return JSON.stringify([data.get("subject"), data.get("preheader"), data.get("body")]);
}

function say(text, tone) {
  saved.textContent = text;
  saved.className = tone ? `badge ${tone}` : "";
}

// Shows why saving failed and that the preview is outdated. `trouble` is a sentence, or "" once saving works again.
function complain(text, tone) {
  if (trouble.textContent !== text) trouble.replaceChildren(...(text ? [Object.assign(document.createElement("p"), { textContent: text })] : []));
  trouble.className = `notice ${tone}`;
  trouble.hidden = !text;
  if (text) say("not saved", tone);
  const shown = document.getElementById("preview-head");
  shown.textContent = text ? `Preview of what was saved at ${savedAt}` : "Preview";
  shown.parentElement.classList.toggle("is-stale", Boolean(text));
}

function changed() {
  if (stopped) return;
  clearTimeout(timer);
  if (words() === stored) return;
  if (trouble.hidden) say("not saved yet");
  timer = setTimeout(save, PAUSE);
}

async function save() {
  clearTimeout(timer);
  if (stopped) return;
  if (running) { again = true; return; }
  // The same text once more is no conflict, so its answer has the revision that a newer text is based on.
  const sent = unsure ?? { words: words(), fields: new URLSearchParams(new FormData(form)) };
  if (sent.words === stored && !unsure) return;
  running = true;
  try {
    const answer = await fetch(form.dataset.autosave, {
      method: "POST",
      body: sent.fields,
      headers: { accept: "application/json" },
    });
    const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
    if (answer.status >= 500 || answer.status === 429) throw new Error(String(answer.status));
    again ||= unsure !== null;
    unsure = null;
    if (answer.ok) {
      stored = sent.words;
      // The form that deletes the draft names the revision, too.
      for (const field of document.querySelectorAll("input[name=revision]")) field.value = told.revision;
      show(told);
      refresh();
    } else if (answer.status === 422) {
      complain(told.problem ?? "The text could not be saved.", "is-bad");
    } else {
      // Signed out, changed by somebody else, or already sent: retrying would not help.
      stopped = true;
      complain(told.problem ?? "What you write is no longer saved. Copy your text, then reload this page.", "is-bad");
    }
  } catch {
    unsure = sent;
    pressed = null;
    complain("The server is not responding. Your text will be saved as soon as it does; keep this page open.", "is-wait");
    timer = setTimeout(save, 5000);
  } finally {
    running = false;
    if (pressed) {
      const button = pressed.submitter;
      pressed = null;
      form.requestSubmit(button);
    } else if (again && !unsure) {
      again = false;
      save();
    }
  }
}

function show(told) {
  const time = Object.assign(document.createElement("time"), { dateTime: told.saved.iso, title: told.saved.full, textContent: told.saved.text });
  savedAt = told.saved.text;
  complain("", "");
  saved.className = "";
  saved.replaceChildren("saved ", time);
  document.getElementById("weight").textContent = told.weight;
  document.getElementById("shown-subject").textContent = told.subject;
  document.getElementById("shown-preheader").textContent = told.preheader;
  const advice = told.advice.length ? told.advice : [{ tone: "is-good", text: "No problems found." }];
  const list = document.getElementById("advice");
  const before = list.textContent.replace(/\s+/g, " ").trim();
  if (before === advice.map((piece) => piece.text).join(" ")) return;
  list.replaceChildren(...advice.map((piece) => {
    const item = Object.assign(document.createElement("li"), { className: `notice ${piece.tone}` });
    item.append(Object.assign(document.createElement("p"), { textContent: piece.text }));
    return item;
  }));
}

form.addEventListener("input", changed);
form.addEventListener("submit", (event) => {
  clearTimeout(timer);
  if (!stopped && (running || unsure)) {
    // The form names the revision that it is based on, so it has to wait for the answer.
    event.preventDefault();
    pressed = event;
    say("saving…");
    save();
    return;
  }
  stopped = leaving = true;
});
addEventListener("beforeunload", (event) => { if (!leaving && words() !== stored) event.preventDefault(); });
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") save(); });

// --- the preview ---

const source = () => `${form.dataset.preview}?view=${frame.dataset.view}`;

// The frame is reloaded: its own policy allows the mail's inline styles, while this page's would block them in inserted HTML.
async function refresh() {
  const at = frame.contentWindow?.scrollY ?? 0;
  frame.addEventListener("load", () => frame.contentWindow?.scrollTo(0, at), { once: true });
  frame.src = source();
}

document.getElementById("views").addEventListener("click", (event) => {
  const tab = event.target.closest("button[data-view]");
  if (!tab) return;
  event.preventDefault();
  for (const other of document.querySelectorAll("#views button")) other.removeAttribute("aria-current");
  tab.setAttribute("aria-current", "true");
  frame.dataset.view = tab.dataset.view;
  frame.classList.toggle("preview-phone", tab.dataset.view === "phone");
  frame.src = source();
});

// --- Markdown ---

// Uses the browser's editing commands, so that "undo" reverts it.
function put(text, from, to) {
  body.focus();
  body.setSelectionRange(from, to);
  if (!document.execCommand("insertText", false, text)) body.setRangeText(text, from, to, "end");
  changed();
}

function wrap(before, after, filler) {
  const { selectionStart: from, selectionEnd: to, value } = body;
  const chosen = value.slice(from, to);
  const wrapped = chosen.startsWith(before) && chosen.endsWith(after) && chosen.length >= before.length + after.length;
  const inner = wrapped ? chosen.slice(before.length, chosen.length - after.length) : chosen || filler;
  put(wrapped ? inner : before + inner + after, from, to);
  if (!wrapped) body.setSelectionRange(from + before.length, from + before.length + inner.length);
}

function link() {
  const { selectionStart: from, selectionEnd: to, value } = body;
  const chosen = value.slice(from, to);
  if (/^https?:\/\/\S+$/.test(chosen)) {
    put(`[words](${chosen})`, from, to);
    body.setSelectionRange(from + 1, from + 6);
  } else {
    put(`[${chosen || "words"}](https://)`, from, to);
    const address = from + (chosen || "words").length + 3;
    body.setSelectionRange(address + 8, address + 8);
  }
}

function lines(mark) {
  const { selectionStart, selectionEnd, value } = body;
  const from = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const end = value.indexOf("\n", selectionEnd);
  const to = end < 0 ? value.length : end;
  let n = 0;
  put(value.slice(from, to).split("\n").map((line) => (mark === "1. " ? `${(n += 1)}. ` : mark) + line).join("\n"), from, to);
}

function block(text) {
  const { selectionEnd: at, value } = body;
  const before = at === 0 || value.slice(0, at).endsWith("\n\n") ? "" : value.slice(0, at).endsWith("\n") ? "\n" : "\n\n";
  put(`${before}${text}\n\n`, at, at);
}

const key = mac ? "⌘" : "Ctrl+";
const tools = [
  ["Bold", "B", () => wrap("**", "**", "bold")],
  ["Italic", "I", () => wrap("*", "*", "italic")],
  ["Link", "K", link],
  ["Heading", "", () => lines("## ")],
  ["List", "", () => lines("- ")],
  ["Quote", "", () => lines("> ")],
  ["Image", "", () => block("![what it shows](https://)")],
  ["Name", "", () => wrap("{{name|", "}}", "reader")],
];

const toolbar = document.getElementById("toolbar");
for (const [label, letter, act] of tools) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: label });
  if (letter) {
    button.title = `${label} (${key}${letter})`;
    button.setAttribute("aria-keyshortcuts", `${mac ? "Meta" : "Control"}+${letter}`);
  }
  button.tabIndex = toolbar.childElementCount ? -1 : 0;
  button.addEventListener("click", act);
  toolbar.append(button);
}
toolbar.hidden = false;
// One tab stop; arrow keys move inside, as in every toolbar.
toolbar.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const buttons = [...toolbar.children];
  const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
  for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
  next.focus();
  event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (!(mac ? event.metaKey : event.ctrlKey) || event.altKey || event.shiftKey) return;
  const pressed = event.key.toUpperCase();
  if (pressed === "S") { event.preventDefault(); save(); return; }
  const tool = document.activeElement === body && tools.find(([, letter]) => letter === pressed);
  if (tool) { event.preventDefault(); tool[2](); }
});

const insert = document.getElementById("insert-poll");
if (insert) {
  insert.parentElement.hidden = false;
  document.querySelector(".poll-lines").hidden = true;
  document.getElementById("poll-hint").textContent = "It is inserted at the cursor. Readers answer with one tap and one button.";
  insert.addEventListener("click", () => block(document.getElementById("poll").value));
}

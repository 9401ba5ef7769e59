// While a reader chooses, the browser solves a small puzzle: cheap for one answer, expensive for thousands.
// The answer counts without it too, but in a lower tier. Fetched only after the reader began to answer; the search is done by
// ALTCHA's worker (MIT, see altcha-3.2.2-license.txt). Nothing of it is stored.
const PATIENCE = 1500;
const begun = new WeakMap();

// Starts the work for a form, once. `mark` is the page's marker of its reader, to which the work is bound.
export function begin(form, poll, mark) {
  if (!begun.has(form)) begun.set(form, work(form, new URL(poll, document.baseURI), mark).catch(() => {}));
}

// Waits for the work to finish, but never long.
export function settled(form) {
  return Promise.race([begun.get(form), new Promise((done) => setTimeout(done, PATIENCE))]);
}

// The next answer of this form needs work of its own.
export function renew(form) {
  begun.delete(form);
  form.querySelector("input[name=proof]")?.remove();
}

async function work(form, poll, mark) {
  const address = new URL(`${poll.pathname.replace(/\/$/, "")}/proof`, poll);
  if (mark) address.searchParams.set("for", await bond(poll, mark));
  const answer = await fetch(address);
  if (answer.status !== 200) return;
  const { token, parameters, lives } = await answer.json();
  const number = await search(parameters);
  if (!Number.isInteger(number)) return;
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: "proof", value: `${token}.${number}` });
  form.querySelector("input[name=proof]")?.remove();
  form.append(field);
  setTimeout(() => renew(form), lives * 900);
}

function search(parameters) {
  return new Promise((found, failed) => {
    try {
      const worker = new Worker(new URL("altcha-3.2.2-sha.js", import.meta.url));
      worker.onmessage = ({ data }) => { worker.terminate(); found(data?.counter); };
      worker.onerror = () => { worker.terminate(); failed(); };
      worker.postMessage({ type: "work", challenge: { parameters }, counterStart: 1 });
    } catch {
      // Our worker may not run on other sites' pages: search here; the hashing still runs off the main thread.
      searchHere(parameters).then(found, failed);
    }
  });
}

async function searchHere({ algorithm, nonce, salt, keyPrefix }) {
  const [start, sought] = [bytes(salt + nonce), bytes(keyPrefix)];
  const text = new Uint8Array(start.length + 4);
  text.set(start);
  const end = new DataView(text.buffer, start.length);
  for (let number = 1; ; number++) {
    end.setUint32(0, number);
    const hash = new Uint8Array(await crypto.subtle.digest(algorithm, text));
    if (sought.every((byte, at) => byte === hash[at])) return number;
  }
}

// The server binds the proof to this, and never sees the mark in an address.
async function bond(poll, mark) {
  const slug = poll.pathname.split("/p/")[1].replace(/\/$/, "");
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${slug}\0${mark}`));
  return [...new Uint8Array(hash).slice(0, 7)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytes(hex) {
  return Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
}

// The form's marker of its reader until our cookie is set: created when the reader begins to answer, and kept for the tab, as in
// poll.js: the page may be reloaded before the answer is sent again.
function mark(form) {
  if (!form.elements.marker) {
    const value = kept(() => sessionStorage.getItem("canvass-marker")) ?? fresh(form.dataset.mark);
    kept(() => sessionStorage.setItem("canvass-marker", value));
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "marker", value }));
  }
  return form.elements.marker.value;
}

// The poll's own mark and the time come first: ballots cast together stand together in the table. Word for word as in poll.js, which
// has to do without this file.
function fresh(poll) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const time = Date.now() / 8;
  if (poll) bytes.set([poll >> 16, poll >> 8, poll, time >> 16, time >> 8, time]);
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

// If the browser forbids storage, only the form keeps it.
function kept(storage) {
  try {
    return storage();
  } catch {
    return null;
  }
}

// Plain forms on our own pages; a <canvass-poll> handles its own.
for (const form of document.querySelectorAll("form.poll")) {
  if (form.closest("canvass-poll") || new URL(form.action).origin !== location.origin) continue;
  form.addEventListener("input", () => begin(form, form.action, mark(form)));
  form.addEventListener("submit", (event) => {
    if (!begun.has(form) || form.elements.proof || form.dataset.sent) return;
    event.preventDefault();
    form.dataset.sent = "1";
    settled(form).then(() => form.requestSubmit(event.submitter));
  });
  // Back from the result with the page as it was: its proof is used up. The mark stays: if no reply had come, the next
  // press sends the same reader's answer again.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    delete form.dataset.sent;
    renew(form);
  });
}

// Keeps the progress page of an issue current. The page is complete without it.
//
//   <div id="now" data-progress="…">   numbers come by server-sent events; if more than numbers changes, the part is re-fetched
//   <div id="now" data-countdown="30"> the seconds left to undo; then the page is loaded again
//
// Screen readers are told only of changes of state: with running numbers they would never finish.

const said = document.getElementById("said");
const part = () => document.getElementById("now");

function row(cells) {
  const line = document.createElement("tr");
  for (const cell of cells) line.append(cell);
  return line;
}

function cell(tag, text, { label, numeric, href } = {}) {
  const made = document.createElement(tag);
  if (tag === "th") made.scope = "row";
  if (label) made.dataset.label = label;
  if (numeric) made.className = "num";
  if (href) made.append(Object.assign(document.createElement("a"), { href, textContent: text }));
  else made.textContent = text;
  return made;
}

function words(text) {
  const made = cell("td", "");
  made.className = "said";
  made.append(Object.assign(document.createElement("span"), { className: "mono small", textContent: text }));
  return made;
}

function badge({ kind, badge: tone }) {
  const made = cell("td", "", { label: "State" });
  made.append(Object.assign(document.createElement("span"), { className: `badge ${tone}`, textContent: kind }));
  return made;
}

// Rows are replaced only when they differ, so that a link in one keeps the focus.
function fill(name, rows, make) {
  const section = document.getElementById(name);
  const body = section?.querySelector(`[data-rows="${name}"]`);
  if (!body) return;
  const key = JSON.stringify(rows);
  section.hidden = rows.length === 0;
  if (body.dataset.key === key) return;
  body.dataset.key = key;
  body.replaceChildren(...rows.map(make));
}

function show(now) {
  const box = part();
  for (const name of ["state", "bar", "percent", "trouble", "unknown", "again", "pace", "sum", "came_back", "deferred_among"]) {
    const place = box.querySelector(`[data-f="${name}"]`);
    if (place && place.textContent !== (now[name] ?? "")) place.textContent = now[name] ?? "";
  }
  // The second bar, behind the first: what failed or is in doubt.
  for (const [id, value] of [["handed", now.done], ["tried", now.tried]]) {
    const bar = document.getElementById(id);
    if (bar) Object.assign(bar, { max: now.audience, value });
  }
  for (const { name, value } of now.counts) {
    const place = box.querySelector(`[data-count="${name}"]`);
    if (place && place.textContent !== value) place.textContent = value;
  }
  const list = `${location.pathname}/recipients`;
  fill("deferred", now.deferred, (d) => row([
    cell("th", d.domain, { href: `${list}?state=deferred&domain=${encodeURIComponent(d.domain)}` }),
    cell("td", d.count, { label: "Readers", numeric: true }),
    words(d.said),
  ]));
  fill("reasons", now.reasons, (r) => row([
    cell("th", r.reason, { href: `${list}?${r.query}` }),
    badge(r),
    cell("td", r.count, { label: "Readers", numeric: true }),
  ]));
}

// What the page says about its connection; nothing while the numbers come.
function link(...words) {
  const place = part().querySelector('[data-f="link"]');
  if (!place) return;
  place.replaceChildren(...words);
  place.hidden = words.length === 0;
}

const LOST = "Connection lost. Trying again…";

class SignedOut extends Error {}

// Re-fetches the part and restores the focus.
async function renew() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
  if (answer.redirected) throw new SignedOut();
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("now");
  if (!fresh) throw new Error("another page");
  const held = part().contains(document.activeElement) ? document.activeElement.id : "";
  part().replaceWith(document.adoptNode(fresh));
  if (held) (document.getElementById(held) ?? part().querySelector("button, a.button"))?.focus();
}

function tell(text) {
  if (said && text) said.textContent = text;
}

// A stream that was refused does not say why, but the page does: the server stopped, or the editor is signed out.
function listenAgain(pause) {
  setTimeout(() => renew().then(listen).catch((error) => {
    const signIn = Object.assign(document.createElement("a"), { href: location.href, textContent: "Sign in again" });
    link(...(error instanceof SignedOut ? ["You are signed out, so the numbers are no longer updated. ", signIn] : [LOST]));
    listenAgain(10_000);
  }), pause);
}

function listen() {
  const box = part();
  if (!box?.dataset.progress) return;
  const source = new EventSource(box.dataset.progress);
  let state = box.querySelector('[data-f="state"]')?.textContent;
  let busy = false;
  let over = false;
  source.addEventListener("progress", async (event) => {
    const now = JSON.parse(event.data);
    show(now);
    link();
    if (now.shape === part().dataset.shape || busy) return;
    busy = true;
    try {
      await renew();
      const bar = part().querySelector('[data-f="bar"]')?.textContent;
      if (now.state !== state) tell(`${now.state}. ${bar}.`);
      state = now.state;
      if (over || !part().dataset.progress) source.close();
    } catch {
      part().dataset.shape = now.shape;
    }
    busy = false;
  });
  source.addEventListener("end", () => {
    over = true;
    source.close();
    // A finished issue shows that.
    listenAgain(1_000);
  });
  source.addEventListener("error", () => {
    link(LOST);
    if (source.readyState === EventSource.CLOSED && !over) listenAgain(10_000);
  });
  addEventListener("pagehide", () => source.close(), { once: true });
}

function countDown() {
  const box = part();
  const seconds = Number(box?.dataset.countdown);
  if (!seconds) return;
  const end = performance.now() + seconds * 1_000;
  const place = box.querySelector("[data-seconds]");
  const tick = () => {
    const left = Math.ceil((end - performance.now()) / 1_000);
    if (left <= 0) return setTimeout(() => location.reload(), 700);
    if (place) place.textContent = left === 1 ? "1 second" : `${left} seconds`;
    setTimeout(tick, 250);
  };
  tick();
}

listen();
countDown();

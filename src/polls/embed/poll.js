// <canvass-poll src="https://polls.example/p/trust">: a poll in any page.
//
// Around a plain form (what the editors' page gives to paste) it improves that form where it stands, so that nothing is
// asked for and nothing moves before the reader answers. Empty (options="4") it draws the poll from one request.
// No inline style or script, no innerHTML, no cookie of another site. The look: poll.css, custom properties, ::part().
//
// It speaks English, or what its attribute `words` says: JSON with words of its own for any of those in WORDS, for the site's language.
//
// Before an answer is sent the element fires `canvass-answer`; a listener may add fields to `detail.body`, and let the
// answer wait for a promise with `detail.wait(promise)`.
const sheet = new CSSStyleSheet();
// In a page that links the sheet, as it should, this comes out of the browser's cache.
const styled = fetch(new URL("poll.css", import.meta.url)).then((answer) => answer.text()).then((text) => sheet.replace(text)).catch(() => {});
const home = new URL(import.meta.url).origin;
const frames = new Set();
const WORDS = {
  marked: "Questions marked * need an answer.",
  from: "From",
  to: "to",
  email: "Email address",
  optional: "Optional.",
  either: "Your answer counts either way.",
  answer: "Answer",
  see: "See the results",
  counted: "Your answer is counted.",
  busy: "Many readers answer just now. Your answer is sent again in a moment.",
  unsent: "Your answer could not be sent. Check the connection and try again, or",
  there: "answer on the poll’s own page",
  open: "Answer the poll",
  results: "Results",
  whole: "The whole result",
  change: "Change my answer",
  readers: "Readers",
  share: "Share",
  yours: "your answer",
};
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

function el(name, attributes = {}, ...children) {
  const space = /^(svg|rect)$/.test(name) ? "2000/svg" : "1999/xhtml";
  const node = document.createElementNS(`http://www.w3.org/${space}`, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value || value === 0) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child));
  return node;
}

// A marker, made only when somebody answers. It begins with the poll's own mark and the time, so that ballots cast together stand
// together in the table.
function fresh(poll) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const time = Date.now() / 8;
  if (poll) bytes.set([poll >> 16, poll >> 8, poll, time >> 16, time >> 8, time]);
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

// Another page's site keeps it: cookies of other sites are blocked, and rightly. On our own pages it lasts as long as the tab; once an
// answer has come back, our cookie says the same. So an answer is the same voter's when it is sent again because nothing came back.
let memory;
function marker(poll, own) {
  try {
    const store = own ? sessionStorage : localStorage;
    memory = store.getItem("canvass-marker") ?? memory ?? fresh(poll);
    store.setItem("canvass-marker", memory);
  } catch {
    // Nothing may be kept here: it lasts as long as the page.
    memory ??= fresh(poll);
  }
  return memory;
}

class CanvassPoll extends HTMLElement {
  connectedCallback() {
    // Moved within the page, it goes on where it was. While the page comes in, the form in it may not be there yet.
    if (this.shadowRoot) this.watch();
    else if (document.readyState === "loading" && !this.querySelector("form")) addEventListener("DOMContentLoaded", () => this.start());
    else this.start();
  }

  disconnectedCallback() {
    this.live?.close();
    this.live = null;
  }

  start() {
    const form = this.querySelector("form");
    if (this.shadowRoot || !(form || this.hasAttribute("src"))) return;
    try {
      this.words = { ...WORDS, ...JSON.parse(this.getAttribute("words")) };
    } catch {
      this.words = WORDS;
    }
    this.source = new URL(this.getAttribute("src") ?? form.action, document.baseURI);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    this.status = el("div", { class: "canvass-top", role: "status", part: "status" });
    // Over the last line, which keeps room for it: what is said moves nothing. A form of somebody else's making has no such line.
    this.alertBox = el("div", { class: !form || form.matches(".canvass, .poll") ? "canvass-error canvass-over" : "canvass-error", role: "alert", part: "error" });
    this.slotted = el("slot");
    this.body = el("div", {}, this.slotted);
    this.whole = el("div", { class: "canvass" }, this.status, this.body, this.alertBox);
    this.shadowRoot.append(this.whole);
    if (form) return this.listen(form);
    this.style.minBlockSize = `${(this.hasAttribute("linked") ? 44 : this.hasAttribute("newsletter") ? 34 : 17) + 3.75 * (this.getAttribute("options") || 4)}em`;
    this.load();
  }

  show(node, said) {
    this.alertBox.replaceChildren();
    this.body.replaceChildren(node);
    this.say(said);
  }

  // What is said lies above the body and makes room in it: the body itself stays where it is.
  say(said = "") {
    this.status.textContent = said;
    this.body.style.paddingBlockStart = said && `${this.status.offsetHeight + 11}px`;
  }

  // Says before each field what is to be mended there, and leads to the first.
  mend(form, errors) {
    let first;
    for (const { field, message } of errors) {
      const input = form.querySelector(`[name=${field}]`) ?? form.elements[0];
      const id = "canvass-" + field;
      (input.closest("label:not(.canvass-field)") ?? input).before(el("p", { class: "canvass-error error", id }, message));
      input.setAttribute("aria-invalid", true);
      input.setAttribute("aria-describedby", id);
      (first ??= input).focus();
    }
  }

  warn(...nodes) {
    this.alertBox.replaceChildren(...nodes.map((node) => el("p", {}, node)));
  }

  path(end) {
    return this.source.href.replace("/p/", "/embed/p/").replace(/\/$/, "") + end;
  }

  // `closed`: what was said to an answer that came after the close, or after the question was changed.
  async load(closed) {
    try {
      const answer = await fetch(this.path("/data"));
      if (!answer.ok) throw answer.status;
      const poll = await answer.json();
      this.poll = poll.mark;
      await styled;
      if (!poll.open && poll.results) return this.results(poll, closed);
      if (!poll.open) return this.show(el("p", { class: "canvass-note" }), closed ?? poll.message);
      poll.plain ? this.frame(poll) : this.draw(poll);
      if (closed) this.warn(closed);
    } catch {
      if (closed) this.warn(closed);
      else this.show(el("p", {}, this.link("", this.words.open)));
    }
  }

  link(end, text) {
    return el("a", { href: this.source.href.replace(/\/$/, "") + end }, text);
  }

  // A kind of question that is not drawn here.
  frame(poll) {
    const frame = el("iframe", { src: this.path(""), title: poll.questions[0].text, width: "100%", height: poll.height, frameborder: 0 });
    frames.add(frame);
    this.show(frame);
  }

  draw(poll) {
    const words = this.words;
    const fields = poll.questions.map((question) =>
      el("fieldset", {}, el("legend", {}, question.text, question.required && " *"), question.hint && el("p", { class: "canvass-top" }, question.hint),
        question.scale?.low && el("p", { class: "canvass-top" }, `${words.from} “${question.scale.low}” ${words.to} “${question.scale.high}”.`),
        ...question.options.map((option) =>
          el("label", { part: "option" },
            el("input", { type: question.input, name: question.name, value: option.key, required: question.native_required }), el("span", {}, option.label)))));
    const letter = poll.newsletter;
    const form = el("form", { class: "canvass", method: "post", action: this.source, part: "form" },
      el("p", { class: "canvass-top" }, words.marked), ...fields,
      letter && el("label", { class: "canvass-field" }, words.email, el("input", { type: "email", name: "email", autocomplete: "email", maxlength: 254 })),
      letter && el("p", { class: "canvass-top" }, `${words.optional} ${letter.promise} ${words.either}`),
      letter && el("label", { class: "canvass-plain" }, el("input", { type: "checkbox", name: "consent", value: letter.consent_version }), el("span", {}, letter.consent)),
      letter && poll.linking && el("label", { class: "canvass-plain" }, el("input", { type: "checkbox", name: "link", value: poll.linking.version }), el("span", {}, poll.linking.words)),
      letter && poll.linking && el("p", { class: "canvass-top" }, words.hint ?? poll.linking.hint),
      letter && el("input", { type: "hidden", name: "newsletter", value: letter.slug }),
      el("input", { type: "hidden", name: "place", value: "embed" }),
      el("div", { class: "canvass-act" }, el("button", { part: "button" }, words.answer), poll.results_href && this.link("/results", words.see)),
      el("p", { class: "canvass-note" }, words.small ?? poll.small_print));
    this.listen(form);
    this.show(form);
  }

  // The marker to send along. In a frame our cookie is another site's as well.
  mark(form) {
    const own = this.source.origin === location.origin && parent === window;
    return marker(this.getAttribute("mark") ?? form.dataset.mark ?? this.poll, own);
  }

  listen(form) {
    // From the first choice on the browser works for a better tier; what it needs for that is fetched only then.
    form.addEventListener("input", async () => {
      this.proof ??= import(new URL("/assets/proof.js", import.meta.url)).catch(() => {});
      (await this.proof)?.begin(form, this.source.href, this.mark(form));
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(form);
    });
  }

  async send(form) {
    if (this.busy) return;
    this.busy = true;
    form.setAttribute("aria-busy", true);
    this.warn();
    for (const old of form.querySelectorAll(".canvass-error")) old.remove();
    for (const old of form.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
    try {
      const proof = await this.proof;
      await proof?.settled(form);
      const body = new URLSearchParams(new FormData(form));
      body.set("marker", this.mark(form));
      const waiting = [];
      this.dispatchEvent(new CustomEvent("canvass-answer", { bubbles: true, composed: true, detail: { body, wait: (promise) => waiting.push(promise) } }));
      await Promise.allSettled(waiting);
      let answer;
      for (let tries = 0; ; tries++) {
        answer = await fetch(this.source, { method: "POST", body, headers: { Accept: "application/json" } });
        if (answer.status !== 503 || tries > 2) break;
        this.warn(this.words.busy);
        await pause(Math.min(answer.headers.get("Retry-After") || 2, 20) * (1 + Math.random() / 2));
      }
      // Used up only now: an answer that got lost is sent again as it was.
      proof?.renew(form);
      const said = await answer.json();
      if (said.counted && !said.errors?.length) this.results(said, `${this.words.counted} ${said.mail ?? ""}`, form);
      else if (answer.status === 409) await this.load(said.detail);
      else if (said.errors) {
        if (said.counted) this.say(this.words.counted);
        this.mend(form, said.errors);
      } else this.warn(said.detail);
    } catch {
      this.warn(`${this.words.unsent} `, this.link("", this.words.there));
    }
    this.busy = false;
    form.removeAttribute("aria-busy");
  }

  // `said`: what became of the answer; `form`: the form that was answered, to come back to.
  results(data, said, form) {
    this.whole.style.minBlockSize = `${this.whole.offsetHeight}px`;
    this.tables = el("div");
    this.note = el("p", { class: "canvass-note", part: "note" });
    this.own = data.own ?? [];
    const box = el("div", { tabindex: -1, role: "group", "aria-label": this.words.results, part: "results" }, this.tables,
      el("div", { class: "canvass-act" }, form && this.changeButton(form), this.link("/results", this.words.whole)), this.note);
    this.fill(data.results, data.message);
    this.show(box, said);
    if (said) {
      box.focus({ preventScroll: true });
      // A form that is higher than the screen was sent from its end, and the result begins above what is seen.
      if (this.getBoundingClientRect().top < 0) {
        this.whole.style = "";
        this.scrollIntoView();
      }
    }
    this.watching = data.open && data.results;
    this.watch();
  }

  fill(results, message) {
    this.tables.replaceChildren(...(results?.questions.flatMap((question) => [table(question, this.own, this.words), question.summary && el("p", { class: "canvass-top" }, question.summary)]).filter(Boolean) ?? []));
    this.note.textContent = results ? this.noted(results) : message;
  }

  // The note on the numbers: ours in English, or the site's own words round the same facts.
  noted({ note, answered }) {
    const words = this.words;
    if (!words.note || !answered) return note;
    const lang = this.closest("[lang]")?.lang;
    const day = (date) => new Date(date).toLocaleDateString(lang, { dateStyle: "long", timeZone: "UTC" });
    const facts = {
      readers: answered.readers.toLocaleString(lang), first: day(answered.first), last: day(answered.last),
      places: answered.places.map((place) => words[place] ?? place).join(", "),
    };
    return words.note.replace(/{(\w+)}/g, (all, key) => facts[key] ?? all);
  }

  watch() {
    if (!this.watching || this.live) return;
    this.live = new EventSource(this.source.href.replace(/\/$/, "") + "/live");
    this.live.onmessage = (event) => this.fill(JSON.parse(event.data));
  }

  changeButton(form) {
    const button = el("button", { class: "canvass-quiet", type: "button", part: "change" }, this.words.change);
    button.addEventListener("click", () => {
      this.disconnectedCallback();
      this.watching = false;
      this.show(this.contains(form) ? this.slotted : form);
      (form.querySelector(":checked") ?? form.querySelector("input")).focus();
    });
    return button;
  }
}

function table(question, own, words) {
  const shares = question.rows.some((row) => row.share);
  return el("table", {}, el("caption", {}, question.text),
    el("thead", {}, el("tr", {}, ...[words.answer, words.readers, shares && words.share].map((head) => head && el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...question.rows.map((row) => {
      const mine = own.includes(row.key);
      return el("tr", { class: mine && "own", part: "row" },
        el("th", { scope: "row" }, row.label, mine && el("i", {}, ` ${words.yours}`),
          el("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" },
            el("rect", { class: "track", width: 100, height: 1 }), el("rect", { class: "fill", width: row.width, height: 1 }))),
        el("td", {}, row.count), shares && el("td", {}, row.share));
    })));
}

// A second copy of this file leaves the first one alone.
if (!customElements.get("canvass-poll")) {
  customElements.define("canvass-poll", CanvassPoll);
  // A frame of ours says how high it is. Any other origin is not believed, and a frame only grows: nothing jumps twice.
  addEventListener("message", ({ origin, source, data }) => {
    const height = data?.canvassHeight;
    if (origin !== home || !(height > 0 && height < 1e4)) return;
    for (const frame of [...document.querySelectorAll("iframe"), ...frames]) {
      if (frame.contentWindow === source && !(frame.height >= height)) frame.height = height;
    }
  });
}

// <canvass-poll src="https://polls.example/p/trust">: a poll in any page.
//
// Around a plain form (as pasted from the editors' page) it enhances that form in place, so that nothing is requested
// and nothing shifts before the reader answers. Without a form (options="4") it draws the poll from one request.
// No inline style or script, no innerHTML, no third-party cookie. Styling: poll.css, custom properties, ::part().
//
// Its texts are in English; the attribute `words` can replace any of those in WORDS, and of those that come with a poll
// to be drawn, as JSON, for the site's language.
//
// Before an answer is sent the element fires `canvass-answer`; a listener may add fields to `detail.body`, and let the
// answer wait for a promise with `detail.wait(promise)`.
const sheet = new CSSStyleSheet();
// On a page that links the style sheet, as it should, this comes from the browser's cache.
const styled = fetch(new URL("poll.css", import.meta.url)).then((answer) => answer.text()).then((text) => sheet.replace(text)).catch(() => {});
const home = new URL(import.meta.url).origin;
const frames = [];
const WORDS = {
  answer: "Answer",
  counted: "Your answer has been counted.",
  busy: "Many readers are answering. Trying again in a moment.",
  unsent: "Your answer could not be sent. Try again, or",
  there: "answer on the poll’s page",
  open: "Answer the poll",
  results: "Results",
  whole: "Full results",
  change: "Change my answer",
  readers: "Readers",
  share: "Share",
  yours: "your answer",
  first: "your first choice",
};
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child));
  return node;
}

// A marker, made only when somebody answers. It begins with the poll's own mark and the time, so that ballots cast
// together are adjacent in the table.
function fresh(poll) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const time = Date.now() / 8;
  if (poll) bytes.set([poll >> 16, poll >> 8, poll, time >> 16, time >> 8, time]);
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

// On another site's page that site's storage keeps it, since browsers rightly block third-party cookies. On our own
// pages it lasts as long as the tab; once a response has arrived, our cookie has the same marker. So an answer that is
// sent again because no response arrived is the same voter's.
let memory;
function marker(poll, own) {
  try {
    const store = own ? sessionStorage : localStorage;
    memory = store.getItem("canvass-marker") ?? memory ?? fresh(poll);
    store.setItem("canvass-marker", memory);
  } catch {
    // Storage is not available: the marker lasts as long as the page.
    memory ??= fresh(poll);
  }
  return memory;
}

class CanvassPoll extends HTMLElement {
  connectedCallback() {
    // An element that was moved within the page continues. While the page is loading, its form may not be there yet.
    if (this.shadowRoot) this.watch();
    else if (document.readyState !== "loading") this.start();
    else addEventListener("DOMContentLoaded", () => this.start());
  }

  disconnectedCallback() {
    this.live?.close();
    this.live = null;
  }

  start() {
    const form = this.querySelector("form");
    if (this.shadowRoot || !(form || this.hasAttribute("src"))) return;
    // A page that the browser keeps for "back" would keep its connection, and a browser has only six to a server.
    addEventListener("pagehide", () => this.disconnectedCallback());
    addEventListener("pageshow", () => this.watch());
    try {
      this.words = { ...WORDS, ...JSON.parse(this.getAttribute("words")) };
    } catch {
      this.words = WORDS;
    }
    this.source = new URL((this.getAttribute("src") ?? form.action).replace(/\/$/, ""), document.baseURI);
    this.inside = this.source.href.replace("/p/", "/embed/p/");
    // Before the shadow tree, in which the form would be drawn anew and hidden once more.
    if (form) shuffle(form);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    this.status = el("div", { class: "canvass-top", role: "status", part: "status" });
    // Laid over the last line, which reserves the space: a message shifts nothing. A custom form has no such line.
    this.alertBox = el("div", { class: !form || form.matches(".canvass, .poll") ? "canvass-error canvass-over" : "canvass-error", role: "alert", part: "error" });
    this.slotted = el("slot");
    this.body = el("div", {}, this.slotted);
    this.whole = el("div", { class: "canvass" }, this.status, this.body, this.alertBox);
    this.shadowRoot.append(this.whole);
    if (form) return this.listen(form);
    this.style.setProperty("--n", this.getAttribute("options") || 4);
    this.load();
  }

  show(node, said) {
    this.alertBox.replaceChildren();
    this.body.replaceChildren(node);
    this.say(said);
  }

  // The message is above the body, which gets padding for it, so that the body itself does not move.
  say(said = "") {
    this.status.textContent = said;
    this.body.style.paddingBlockStart = said && this.status.offsetHeight + 11 + "px";
  }

  // Shows each error below its question or before its field, and moves the focus to the first.
  mend(form, errors) {
    let first;
    for (const { field, message } of errors) {
      // A form of the site's own may have other names.
      const input = form.querySelector(`[name="${field}"]`) ?? form.querySelector("input");
      const id = "canvass-" + field;
      const said = el("p", { class: "canvass-error error", id }, message);
      const legend = input.closest("fieldset")?.querySelector("legend");
      legend ? legend.after(said) : (input.closest("label:not(.canvass-field)") ?? input).before(said);
      input.setAttribute("aria-invalid", true);
      input.setAttribute("aria-describedby", id);
      (first ??= input).focus();
    }
  }

  warn(...nodes) {
    this.alertBox.replaceChildren(...nodes.map((node) => el("p", {}, node)));
  }

  // `closed`: the message for an answer that came after the close, or after the question was changed.
  async load(closed) {
    try {
      const answer = await fetch(this.inside + "/data");
      if (!answer.ok) throw answer.status;
      const poll = await answer.json();
      this.poll = poll.mark;
      this.words = { ...poll.words, ...this.words };
      await styled;
      if (!poll.open) return poll.results ? this.results(poll, closed) : this.show(el("p", { class: "canvass-note" }), closed ?? poll.message);
      poll.plain ? this.frame(poll) : this.draw(poll);
    } catch {
      closed || this.show(el("p", {}, this.link("", this.words.open)));
    }
    if (closed) this.warn(closed);
  }

  link(end, text) {
    return el("a", { href: this.source + end }, text);
  }

  // For kinds of questions that are not drawn here.
  frame(poll) {
    const frame = el("iframe", { src: this.inside, title: poll.questions[0].text, width: "100%", height: poll.height, frameborder: "0" });
    frames.push(frame);
    this.show(frame);
  }

  draw(poll) {
    const words = this.words;
    const fields = poll.questions.map((question) =>
      el("fieldset", {}, el("legend", {}, question.text, question.star && " *"), question.hint && el("p", { class: "canvass-top" }, question.hint),
        question.scale?.low && el("p", { class: "canvass-top" }, `${words.from} “${question.scale.low}” ${words.to} “${question.scale.high}”.`),
        ...question.options.map((option) =>
          el("label", { part: "option" },
            el("input", { type: question.input, name: question.name, value: option.key, required: question.native_required }), el("span", {}, option.label)))));
    const letter = poll.newsletter;
    const form = el("form", { class: "canvass", method: "post", action: this.source, part: "form" },
      poll.intro && el("p", { class: "canvass-top" }, poll.intro), el("p", { class: "canvass-top" }, poll.starred && words.marked), ...fields,
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

  // The marker to send with the answer. In a frame our cookie is a third-party cookie as well.
  mark(form) {
    const own = this.source.origin === location.origin && parent === window;
    return marker(this.getAttribute("mark") ?? form.dataset.mark ?? this.poll, own);
  }

  listen(form) {
    // From the first choice on, the browser works on a proof for a better tier; the script for it is fetched only then.
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
    if (form.ariaBusy) return;
    form.ariaBusy = true;
    this.warn();
    for (const old of form.querySelectorAll(".canvass-error")) old.remove();
    for (const old of form.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
    try {
      const proof = await this.proof;
      await proof?.settled(form);
      const body = new URLSearchParams(new FormData(form));
      body.set("marker", this.mark(form));
      const waiting = [];
      this.dispatchEvent(new CustomEvent("canvass-answer", { bubbles: true, composed: true, detail: { body, wait: (one) => waiting.push(one) } }));
      await Promise.allSettled(waiting);
      let answer;
      for (let tries = 4; ; ) {
        answer = await fetch(this.source, { method: "POST", body, headers: { Accept: "application/json" } });
        if (answer.status !== 503 || !--tries) break;
        this.warn(this.words.busy);
        await pause(Math.min(answer.headers.get("Retry-After") || 2, 20) * (1 + Math.random() / 2));
      }
      // The proof is used up only now, so that an answer that was lost can be sent again unchanged.
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
    form.ariaBusy = null;
  }

  // `said`: the outcome of the answer; `form`: the form that was answered, to go back to.
  results(data, said, form) {
    this.whole.style.minBlockSize = this.whole.offsetHeight + "px";
    this.tables = el("div");
    this.note = el("p", { class: "canvass-note", part: "note" });
    this.own = data.own ?? [];
    const box = el("div", { tabindex: -1, role: "group", "aria-label": this.words.results, part: "results" }, this.tables,
      el("div", { class: "canvass-act" }, form && this.changeButton(form), this.link("/results", this.words.whole)), this.note);
    this.fill(data.results, data.message);
    this.show(box, said);
    if (said) {
      box.focus({ preventScroll: true });
      // A form higher than the screen was submitted from its end, so the result begins above the visible part.
      if (this.getBoundingClientRect().top < 0) {
        this.whole.style = "";
        this.scrollIntoView();
      }
    }
    this.watching = data.live;
    this.watch();
  }

  fill(results, message) {
    this.tables.replaceChildren(...(results?.questions ?? []).map((question) =>
      el("div", {}, table(question, this.own, this.words),
        question.hint && el("p", { class: "canvass-top" }, question.hint), question.summary && el("p", { class: "canvass-top" }, question.summary))));
    // Not textContent: every remark has a line of its own.
    this.note.innerText = results ? [this.noted(results), ...results.asides].join("\n") : message;
  }

  // The note on the numbers: ours in English, or the site's own text with the same values.
  noted({ note, answered }) {
    const words = this.words;
    const text = answered && words[answered.all ? "note" : "part"];
    if (!text) return note;
    let lang;
    try {
      [lang] = Intl.getCanonicalLocales(this.closest("[lang]")?.lang);
    } catch {
      // Not a language tag: the browser's own language.
    }
    const day = (date) => new Date(date).toLocaleDateString(lang, { dateStyle: "long", timeZone: "UTC" });
    const facts = {
      readers: answered.readers.toLocaleString(lang), first: day(answered.first), last: day(answered.last),
      places: answered.places.map((place) => words[place] ?? place).join(", "),
    };
    return text.replace(/{(\w+)}/g, (all, key) => facts[key] ?? all);
  }

  watch(wait = 5) {
    if (this.live || !this.watching || !this.isConnected) return;
    const live = (this.live = new EventSource(this.source + this.watching));
    live.onmessage = (event) => {
      wait = 5;
      this.fill(JSON.parse(event.data));
    };
    // A proxy says 502 while the server starts, and the browser gives up then. Where nothing changes any more it is told 204, which looks
    // the same from here: so not for ever.
    live.onerror = async () => {
      if (live.readyState < 2 || wait > 600) return;
      await pause(wait);
      if (this.live === live) this.watch(wait * 2, (this.live = null));
    };
  }

  changeButton(form) {
    const button = el("button", { class: "canvass-quiet", type: "button", part: "change" }, this.words.change);
    button.onclick = () => {
      this.disconnectedCallback();
      this.watching = false;
      this.show(this.contains(form) ? this.slotted : form);
      (form.querySelector(":checked") ?? form.querySelector("input")).focus();
    };
    return button;
  }
}

// Puts the options of a pasted form into a random order. poll.css hides them until then, but not for long: where a reader
// may have seen them, they stay in their places.
function shuffle(form) {
  const rows = form.querySelectorAll("[data-random]");
  const unseen = rows[0]?.checkVisibility?.({ visibilityProperty: true }) === false;
  let order = [];
  for (const row of rows) {
    delete row.dataset.random;
    if (row.parentNode !== order[0]?.parentNode) order = [];
    const place = Math.random() * (order.length + 1);
    if (unseen) order[place | 0]?.before(row);
    order.splice(place, 0, row);
  }
}

function table(question, own, words) {
  const shares = question.rows.some((row) => row.share);
  return el("table", {}, el("caption", {}, question.text),
    el("thead", {}, el("tr", {}, ...[words.answer, words.readers, shares && words.share].map((head) => head && el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...question.rows.map((row) => {
      const mine = own.includes(row.key);
      const bar = el("b");
      bar.style.inlineSize = row.width + "%";
      return el("tr", { class: mine && "own", part: "row" },
        el("th", { scope: "row" }, row.label, mine && el("i", {}, ` ${question.runoff ? words.first : words.yours}`),
          ...(row.words ?? []).map((said) => el("small", {}, el("bdi", {}, said.text), " " + said.count)),
          el("b", {}, bar)),
        el("td", {}, row.count), shares && el("td", {}, row.share));
    })));
}

// If this file is loaded twice, the second copy does nothing.
if (!customElements.get("canvass-poll")) {
  customElements.define("canvass-poll", CanvassPoll);
  // Our frames report their height. Other origins are ignored, and a frame only grows, so that nothing shifts twice.
  addEventListener("message", ({ origin, source, data }) => {
    const height = data?.canvassHeight;
    if (origin === home && height > 0 && height < 1e4) for (const frame of [...document.querySelectorAll("iframe"), ...frames]) {
      if (frame.contentWindow === source && !(frame.height >= height)) frame.height = height;
    }
  });
}

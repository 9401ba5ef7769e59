// <canvass-poll src="https://news.example/p/trust" options="4"></canvass-poll>
// A poll in any page. Around a plain form it improves that form; empty, it draws the poll itself.
// No inline style or script, no innerHTML, no cookie of a third party. Colours: --canvass-accent, -ink, -paper, -rule.
const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host{display:block;--a:var(--canvass-accent,#0b5666);--i:var(--canvass-ink,inherit);--p:var(--canvass-paper,transparent);--r:var(--canvass-rule,#8888);color:var(--i);font:1rem/1.45 var(--canvass-font,inherit)}
*{box-sizing:border-box}fieldset{border:0;margin:0 0 1rem;padding:0;min-inline-size:0}
legend,caption{padding:0;text-align:start;font:700 1.5rem/1.2 var(--canvass-serif,Georgia,serif)}
label{display:flex;gap:.75rem;align-items:center;min-block-size:3.25rem;padding:.625rem .875rem;margin-block-start:.5rem;border:1px solid #73757b;border-radius:3px;background:var(--p);cursor:pointer}
label:has(:checked){border-color:var(--a);box-shadow:inset 0 0 0 1px var(--a);font-weight:600}
input[type]{flex:none;inline-size:1.375rem;block-size:1.375rem;margin:0;accent-color:var(--a)}
label.plain{border:0;padding-inline:0;background:none;box-shadow:none;font-weight:400;font-size:.9375rem}
label.text{display:block;border:0;padding:0;font-weight:600;box-shadow:none}
input[type=email]{display:block;inline-size:100%;block-size:3rem;padding:0 .75rem;margin-block-start:.375rem;font:inherit;border:1px solid #73757b;border-radius:3px}
button{min-block-size:3rem;padding:.625rem 1.375rem;border:1px solid var(--a);border-radius:3px;background:var(--a);color:var(--canvass-on-accent,#fff);font:inherit;font-weight:600;cursor:pointer}
button.quiet{background:none;color:inherit;border-color:#73757b}
:focus-visible{outline:3px solid var(--a);outline-offset:2px}[tabindex]:focus{outline:0}
table{inline-size:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}caption{margin-block-end:.5rem}
tr{position:relative;block-size:3.75rem}th,td{padding:.375rem 0 1.125rem;vertical-align:bottom;font-weight:400;line-height:1.3;text-align:start}
th{inline-size:100%}td{text-align:end;white-space:nowrap;padding-inline-start:.875rem}td+td{font-weight:700}.own th{font-weight:700}.own i{font-style:normal;font-weight:600;font-size:.8125rem;color:var(--a)}
thead tr{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%)}
svg{position:absolute;inset:auto 0 .375rem;inline-size:100%;block-size:.5rem}.track{fill:var(--r)}.fill{fill:var(--a);opacity:.6}.own .fill{opacity:1}
:host(:dir(rtl)) svg{transform:scaleX(-1)}
p{margin:.75rem 0;font-size:.875rem}.error{color:var(--canvass-bad,#a8161c);font-size:.9375rem;font-weight:600}.counted{border-inline-start:4px solid #1d6b3a;padding:.5rem .875rem;font-size:1rem}
@media(forced-colors:active){svg{forced-color-adjust:none;border:1px solid CanvasText}.track{fill:Canvas}.fill{fill:CanvasText}}
`);

function el(name, attributes = {}, ...children) {
  const space = /^(svg|rect)$/.test(name) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const node = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

// A marker kept by the page's own site, made only when somebody answers: cookies of other sites are blocked, and rightly.
function marker() {
  try {
    let mark = localStorage.getItem("canvass-marker");
    if (!mark) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      mark = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
      localStorage.setItem("canvass-marker", mark);
    }
    return mark;
  } catch {
    return "";
  }
}

class CanvassPoll extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    this.source = new URL(this.getAttribute("src"), document.baseURI);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    this.alertBox = el("div", { role: "alert" });
    const form = this.querySelector("form");
    if (form) {
      this.show(el("slot"));
      this.listen(form);
    } else {
      this.style.minBlockSize = `${11 + 3.75 * (this.getAttribute("options") || 2)}rem`;
      this.load();
    }
  }

  disconnectedCallback() {
    this.live?.close();
  }

  show(...nodes) {
    this.shadowRoot.replaceChildren(this.alertBox, ...nodes);
  }

  async load() {
    const data = this.source.pathname.replace("/p/", "/embed/p/") + "/data";
    try {
      const answer = await fetch(new URL(data, this.source));
      if (!answer.ok) throw new Error(answer.status);
      const poll = await answer.json();
      if (poll.open && poll.plain) this.show(el("p", {}, el("a", { href: this.source }, "Answer the poll")));
      else if (poll.open) this.draw(poll);
      else if (poll.results) this.results(poll, false);
      else this.show(el("p", {}, poll.message));
    } catch {
      this.show(el("p", {}, el("a", { href: this.source }, "Answer the poll")));
    }
  }

  draw(poll) {
    const fields = poll.questions.map((question) =>
      el("fieldset", {}, el("legend", {}, question.text, question.required ? " *" : ""),
        ...question.options.map((option) =>
          el("label", {},
            el("input", {
              type: question.max > 1 ? "checkbox" : "radio", name: poll.questions.length > 1 ? `option.${question.key}` : "option",
              value: option.key, required: question.required && question.max === 1,
            }),
            el("span", {}, option.label)))));
    const letter = poll.newsletter;
    const extra = letter ? [
      el("label", { class: "text" }, "Email address", el("input", { type: "email", name: "email", autocomplete: "email", maxlength: 254 })),
      el("p", {}, `Optional. ${letter.promise} Your answer counts either way.`),
      el("label", { class: "plain" }, el("input", { type: "checkbox", name: "consent", value: letter.consent_version }), el("span", {}, letter.consent)),
      el("input", { type: "hidden", name: "newsletter", value: letter.slug, hidden: true }),
    ] : [];
    const form = el("form", { method: "post", action: this.source, part: "form" },
      el("p", {}, "Questions marked * need an answer."), ...fields, ...extra,
      el("input", { type: "hidden", name: "place", value: "embed", hidden: true }), el("button", { part: "button" }, "Answer"));
    this.listen(form);
    this.show(form);
  }

  listen(form) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(form);
    });
  }

  async send(form) {
    if (this.busy) return;
    this.busy = true;
    const body = new URLSearchParams(new FormData(form));
    const foreign = this.source.origin !== location.origin;
    if (foreign) body.set("marker", marker());
    try {
      const answer = await fetch(this.source, { method: "POST", body, headers: { Accept: "application/json" }, credentials: "same-origin" });
      const said = await answer.json();
      if (said.counted && !said.errors?.length) this.results(said, true, form);
      else this.warn(said.counted, said.errors?.map((error) => error.message) ?? [said.detail ?? said.title]);
    } catch {
      // No JSON came back: the form still works by itself.
      form.submit();
    } finally {
      this.busy = false;
    }
  }

  warn(counted, messages) {
    this.alertBox.replaceChildren(
      ...(counted ? [el("p", { class: "counted" }, "Your answer is counted.")] : []),
      ...messages.map((message) => el("p", { class: "error" }, message)));
  }

  results(data, voted, form) {
    const height = form?.offsetHeight;
    const box = el("div", { tabindex: -1, part: "results" });
    const fill = (results) => {
      this.alertBox.replaceChildren();
      const notes = (voted ? [el("p", { class: "counted", role: "status" }, "Your answer is counted.", data.mail ? ` ${data.mail}` : "")] : []);
      const change = voted && data.open ? [this.changeButton(form)] : [];
      box.replaceChildren(...notes, ...(results ? [...results.questions.flatMap((question) => [table(question, data.own ?? []), ...(question.summary ? [el("p", {}, question.summary)] : [])]), el("p", {}, results.note)]
        : [el("p", {}, data.message)]), ...change);
    };
    fill(data.results);
    this.show(box);
    if (height) box.style.minBlockSize = `${height}px`;
    if (voted) box.focus({ preventScroll: true });
    if (data.results && !this.live) {
      this.live = new EventSource(`${this.source.href.replace(/\/$/, "")}/live`);
      this.live.onmessage = (event) => this.shadowRoot.contains(box) && !box.contains(this.shadowRoot.activeElement) && fill(JSON.parse(event.data));
    }
  }

  changeButton(form) {
    const button = el("button", { class: "quiet", type: "button" }, "Change my answer");
    button.addEventListener("click", () => {
      this.live?.close();
      this.live = null;
      this.show(form.isConnected || this.contains(form) ? el("slot") : form);
      form.querySelector("input")?.focus();
    });
    return button;
  }
}

function table(question, own) {
  const shares = question.rows.some((row) => row.share);
  return el("table", {}, el("caption", {}, question.text),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Answer"), el("th", { scope: "col" }, "Readers"), shares ? el("th", { scope: "col" }, "Share") : null)),
    el("tbody", {}, ...question.rows.map((row) => {
      const mine = own.includes(row.key);
      return el("tr", { class: mine ? "own" : null },
        el("th", { scope: "row" }, row.label, mine ? el("i", {}, " your answer") : null,
          el("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" },
            el("rect", { class: "track", width: 100, height: 1 }), el("rect", { class: "fill", width: row.width, height: 1 }))),
        el("td", {}, row.count), shares ? el("td", {}, row.share) : null);
    })));
}

customElements.define("canvass-poll", CanvassPoll);

// In an iframe: tell the page around it how high we are. Around an iframe: listen.
if (parent !== window) {
  new ResizeObserver(() => parent.postMessage({ canvassHeight: document.documentElement.offsetHeight }, "*")).observe(document.documentElement);
}
addEventListener("message", (event) => {
  const height = event.data?.canvassHeight;
  if (Number.isFinite(height)) for (const frame of document.querySelectorAll("iframe")) if (frame.contentWindow === event.source) frame.height = height;
});

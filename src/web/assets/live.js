// Keeps the numbers on a result page current while it is open. The page is complete without it.
const box = document.querySelector("[data-live]");

function el(name, className, ...children) {
  const node = document.createElement(name);
  node.className = className;
  node.append(...children);
  return node;
}

// A sentence under the question: the mean of a rating, the outcome of a run-off, what the percentages are of.
function say(caption, className, text) {
  let line = caption.querySelector("." + className);
  if (!text) return line?.remove();
  if (!line) caption.append(" ", (line = el("span", className)));
  line.textContent = text;
}

// The rounds of a run-off, drawn like in table.hbs.
function rounds(table, runoff) {
  const cell = (text) => (text ? text : [Object.assign(el("span", "", "\u2013"), { ariaHidden: "true" }), el("span", "visually-hidden", "out")]);
  const heading = el("th", "", "Round by round");
  heading.scope = "col";
  const numbers = runoff.rounds.map((round) => Object.assign(el("th", "num", String(round.number)), { scope: "col" }));
  const line = (className, label, cells) =>
    el("tr", className, Object.assign(el("th", "", label), { scope: "row" }), ...cells.map((text) => el("td", "num", ...[cell(text)].flat())));
  table.tHead.replaceChildren(el("tr", "", heading, ...numbers));
  table.tBodies[0].replaceChildren(
    ...runoff.lines.map((option) => line(option.leads ? "leads" : "", option.label, option.cells)),
    line("quiet", "Ballots that rank none of the options left", runoff.exhausted));
  // A single round shows the same as the bars.
  table.parentElement.hidden = runoff.rounds.length < 2;
  const ties = table.parentElement.nextElementSibling;
  ties.textContent = runoff.ties ?? "";
  ties.hidden = !runoff.ties;
}

// Readers' words beside "Other" that editors approved.
function words(line, row) {
  let list = line.querySelector(".own-words-shown");
  if (!list && !row.words) return;
  if (!list) line.querySelector(".bar").before((list = el("span", "own-words-shown")));
  list.replaceChildren(
    ...(row.words ?? []).map((said) => el("span", "", el("bdi", "", said.text), " ", el("span", "quiet", said.count))),
    ...(row.unshown ? [el("span", "quiet", `other answers ${row.unshown}`)] : []));
}

// A proxy answers 502 while the server restarts, and the browser then gives up; so reconnect. A closed poll answers 204, which looks
// the same from here, so the number of attempts is limited.
let source;
function follow(wait = 5_000) {
  source?.close();
  source = new EventSource(box.dataset.live);
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED && wait < 600_000) setTimeout(follow, wait, wait * 2);
  };
  source.onmessage = (event) => {
    wait = 5_000;
    const results = JSON.parse(event.data);
    for (const question of results.questions) {
      const table = box.querySelector(`[data-question="${Number(question.key)}"]`);
      if (!table) continue;
      say(table.caption, "result-summary", question.summary);
      say(table.caption, "hint", question.hint);
      // Percentages come with the thirtieth answer, and go if editors leave some out.
      for (const cell of table.querySelectorAll("[data-share]")) cell.hidden = !question.shares;
      const after = table.nextElementSibling?.querySelector("table");
      if (question.runoff && after) rounds(after, question.runoff);
      for (const row of question.rows) {
        const line = box.querySelector(`[data-option="${Number(row.key)}"]`);
        if (!line) continue;
        line.querySelector(".result-count").textContent = row.count;
        line.querySelector(".result-share").textContent = row.share ?? "";
        const range = line.querySelector(".result-range");
        if (range) range.textContent = row.range ?? "";
        line.querySelector(".bar-fill").setAttribute("width", row.width);
        words(line, row);
      }
    }
    const sample = box.querySelector(".result-sample");
    if (sample && results.sample) sample.textContent = results.sample.line;
    const [note, ...asides] = box.querySelectorAll(".results-note");
    note.textContent = results.note;
    for (const aside of asides) aside.remove();
    box.append(...results.asides.map((text) => el("p", "results-note", text)));
  };
}

// A page that the browser keeps for "back" would keep its connection, and a browser has only six to a server.
if (box) {
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && follow());
  follow();
}

// Keeps the numbers on a result page current while it is open. The page is whole without it.
const box = document.querySelector("[data-live]");
if (box) {
  new EventSource(box.dataset.live).onmessage = (event) => {
    const results = JSON.parse(event.data);
    for (const question of results.questions) {
      for (const row of question.rows) {
        const line = box.querySelector(`[data-option="${Number(row.key)}"]`);
        if (!line) continue;
        line.querySelector(".result-count").textContent = row.count;
        const share = line.querySelector(".result-share");
        if (share && row.share) share.textContent = row.share;
        line.querySelector(".bar-fill").setAttribute("width", row.width);
      }
    }
    box.querySelector(".results-note").textContent = results.note;
  };
}

// Buttons that only a person may press: mail scanners run scripts, submit forms and click on anything like a button.
//
//   <form data-press>           is marked as untouched until a person has touched the page
//   <form data-press="choice">  in addition, tapping the selected answer again submits it
//
// Browsers tell which events a person caused, and scripts cannot fake it. The pages are complete without this file.

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
// Some assistive software swallows the events, but the browser has still registered the person's activity.
addEventListener("submit", () => navigator.userActivation?.hasBeenActive && touched(), { capture: true });

// The server accepts no vote within 0.7 s of rendering the page: a quick tap waits here instead of being refused.
const PAUSE = 750;
const given = performance.getEntriesByType("navigation")[0]?.responseStart ?? 0;

for (const form of document.querySelectorAll('form[data-press="choice"]')) {
  form.addEventListener("submit", (event) => {
    const left = PAUSE - (performance.now() - given);
    if (left <= 0) return;
    event.preventDefault();
    setTimeout(() => form.requestSubmit(), left);
  });

  // Selecting another answer submits nothing, only a second tap on the selected one does. Keys never submit, because arrows select.
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

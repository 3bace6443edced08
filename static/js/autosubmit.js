// `<form data-autosubmit>`: send when a choice is made with the pointer. By the keys one passes choices on the way to another, and a date is
// one before its year is written out: there the form's button sends, or Enter in a field. It works without this, too.

let byKeys = false;
addEventListener("keydown", () => { byKeys = true; }, true);
addEventListener("pointerdown", () => { byKeys = false; }, true);

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-autosubmit]");
  if (form && !byKeys && event.target.matches("select, input[type=checkbox], input[type=date]")) form.requestSubmit();
});

// Whoever comes back finds the choices of what is shown there, not the one with which they left.
addEventListener("pageshow", (event) => {
  if (!event.persisted && performance.getEntriesByType("navigation")[0]?.type !== "back_forward") return;
  for (const form of document.querySelectorAll("form[data-autosubmit]")) form.reset();
});

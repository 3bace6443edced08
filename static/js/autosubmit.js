// `<form data-autosubmit>`: send when a choice changes. The form's button stays, so it works without this too.

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-autosubmit]");
  if (form && event.target.matches("select, input[type=checkbox], input[type=date]")) form.requestSubmit();
});

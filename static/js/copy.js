// Copy buttons: `<button data-copy="text" hidden>`. They stay hidden where the clipboard is not to be had.

const SHOWN_MS = 2000;

function announce(button, text) {
  const status = button.querySelector("[data-copy-status]");
  if (status) {
    status.textContent = text;
    setTimeout(() => { status.textContent = status.dataset.copyStatus; }, SHOWN_MS);
  }
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    announce(button, "Copied");
  } catch {
    announce(button, "Not copied: select the text instead");
  }
}

function reveal(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (button) copy(button);
});
document.addEventListener("htmx:load", (event) => reveal(event.target));
reveal(document);

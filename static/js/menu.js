// Menus are `<details class="menu">` and work without this; here Escape and a click elsewhere close them.

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
// Tabs scroll where they do not fit: the one that is open must be seen.
for (const tab of document.querySelectorAll(".tabs a[aria-current]")) {
  const bar = tab.closest(".tabs");
  bar.scrollLeft += tab.getBoundingClientRect().left - bar.getBoundingClientRect().left - (bar.clientWidth - tab.offsetWidth) / 2;
}
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

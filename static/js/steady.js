// A part that replaces itself leaves a person where they are: what had the focus has it again, what was opened stays open,
// what was scrolled stays there. htmx does that by itself only for elements with an id.

const FOCUSABLE = "a[href], button, summary, input, select, textarea, [tabindex]";
const SCROLLED = ".table-region, pre, .lineage-scroll";
const words = (element) => element.textContent.trim().replace(/\s+/g, " ");
const focusKey = (element) => [element.tagName, element.getAttribute("href"), element.name, element.getAttribute("aria-label") || words(element)].join("|");
const detailsKey = (element) => words(element.querySelector("summary") || element);
const scrollKey = (element) => element.getAttribute("aria-label") || "";

let before = null;

// Which of those that are alike it is, below what stays in the page.
function named(root, selector, key) {
  const seen = new Map();
  return Array.from(root.querySelectorAll(selector), (element) => {
    const name = key(element);
    seen.set(name, (seen.get(name) ?? -1) + 1);
    return [`${name}#${seen.get(name)}`, element];
  });
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target } = event.detail;
  const root = target.parentElement;
  before = null;
  if (!root || !event.detail.shouldSwap) return;
  const inside = ([, element]) => target.contains(element);
  before = {
    root,
    focus: named(root, FOCUSABLE, focusKey).filter(inside).find(([, element]) => element === document.activeElement)?.[0],
    open: new Map(named(root, "details", detailsKey).filter(inside).map(([name, element]) => [name, element.open])),
    scroll: new Map(named(root, SCROLLED, scrollKey).filter(inside).filter(([, one]) => one.scrollLeft || one.scrollTop).map(([name, one]) => [name, [one.scrollLeft, one.scrollTop]])),
  };
});

document.addEventListener("htmx:afterSwap", () => {
  if (!before) return;
  const { root, focus, open, scroll } = before;
  before = null;
  for (const [name, element] of named(root, "details", detailsKey)) if (open.has(name)) element.open = open.get(name);
  for (const [name, element] of named(root, SCROLLED, scrollKey)) if (scroll.has(name)) [element.scrollLeft, element.scrollTop] = scroll.get(name);
  if (focus && document.activeElement === document.body) {
    named(root, FOCUSABLE, focusKey).find(([name]) => name === focus)?.[1].focus({ preventScroll: true });
  }
});

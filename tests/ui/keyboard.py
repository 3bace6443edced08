"""Walks a page by the keyboard: what can be used is reached, is seen when it is, and is left again."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

# What a person who tabs through a page should come to. A group of radio buttons is one stop.
_FIND = """() => {
  const kinds = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]';
  const groups = new Set();
  // Also what lies in a `<details>` that is closed has a size.
  const isShown = (one) => one.checkVisibility({ visibilityProperty: true }) && one.getClientRects().length > 0;
  window.walked = [...document.querySelectorAll(kinds)].filter((one) => {
    if (one.disabled || one.tabIndex < 0 || !isShown(one) || one.closest('[inert]')) return false;
    if (one.type === 'radio') {
      if (groups.has(one.name)) return false;
      groups.add(one.name);
    }
    return true;
  });
  const look = (one) => {
    const style = getComputedStyle(one);
    return [style.outlineStyle, style.outlineWidth, style.boxShadow, style.borderColor].join();
  };
  window.lookOf = look;
  window.before = window.walked.map(look);
  document.activeElement?.blur();
  window.scrollTo(0, 0);
  return window.walked.map((one) => one.outerHTML.slice(0, 160));
}"""
_HERE = """() => {
  let one = document.activeElement;
  if (!one || one === document.body) return null;
  let place = window.walked.indexOf(one);
  if (place < 0 && one.type === 'radio') place = window.walked.findIndex((each) => each.name === one.name);
  // A part that reads itself again has another in its place, which is the same to a person.
  if (place < 0) place = window.walked.findIndex((each) => each.outerHTML === one.outerHTML);
  const rect = one.getBoundingClientRect();
  const style = getComputedStyle(one);
  const isOutlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  const x = Math.min(Math.max(rect.left + Math.min(rect.width, 20) / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(rect.top + Math.min(rect.height, 20) / 2, 0), innerHeight - 1);
  const top = document.elementFromPoint(x, y);
  const isOnTop = !!top && (one.contains(top) || top.contains(one) || (top.closest('label')?.control === one));
  return {
    place, html: one.outerHTML.slice(0, 160),
    seen: isOutlined || (place >= 0 && window.lookOf(one) !== window.before[place]) || !!one.shadowRoot,
    inside: rect.bottom > 0 && rect.top < innerHeight && rect.right > 0 && rect.left < innerWidth, onTop: isOnTop,
  };
}"""


def keyboard_faults(page: Page) -> list[str]:
    """What is wrong for a person who has no mouse; empty where nothing is."""
    wanted: list[str] = page.evaluate(_FIND)
    reached: set[int] = set()
    faults: list[str] = []
    last = ""
    for _ in range(2 * len(wanted) + 10):
        page.keyboard.press("Tab")
        here: dict[str, Any] | None = page.evaluate(_HERE)
        if here is None:
            break  # Out of the page, and round again.
        if here["place"] in reached and here["html"] != last:
            break
        if here["html"] == last and here["place"] in reached:
            # An editor takes Tab for itself; Escape and Tab leave it.
            page.keyboard.press("Escape")
            page.keyboard.press("Tab")
            here = page.evaluate(_HERE)
            if here is None:
                break
            if here["html"] == last:
                faults.append(f"no way out of {last}")
                break
        last = here["html"]
        reached.add(here["place"])
        faults += [f"{what}: {last}" for name, what in _SAID.items() if not here[name]]
    faults += [f"not reached: {html}" for place, html in enumerate(wanted) if place not in reached]
    return faults


_SAID = {"seen": "not seen to have the focus", "inside": "outside of the window", "onTop": "covered"}

"""A person at the browser: signs in, follows links, fills forms, and notices what the pages complain about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.ui.browser import TIMEOUT_MS, WIDE, Watched, watch

LONG_MS = 180_000
MOST_TABS = 200
FAILED = "Something went wrong in the platform|failed|lost|timed out|out of memory"


@dataclass
class Visitor:
    """One person with a browser context of their own."""

    page: Page
    url: str
    watched: Watched

    def sign_in_by_keyboard(self, username: str, password: str) -> None:
        """Sign in without touching the mouse: the first field has the focus already."""
        self.page.goto(f"{self.url}/login/", timeout=LONG_MS)
        expect(self.page.get_by_label("User name")).to_be_focused()
        self.page.keyboard.type(username)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(password)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("summary", has_text=f"Signed in as {username}")).to_be_visible()

    def follow(self, name: str, *, inside: str = "") -> None:
        """Follow the link with this name, in the landmark or region called `inside` where one is given."""
        place: Page | Locator = self.page
        if inside:
            place = self.page.get_by_role("navigation", name=inside).or_(self.page.get_by_role("region", name=inside))
            place = place.filter(visible=True)
        place.get_by_role("link", name=name, exact=True).click()

    def press(self, name: str) -> None:
        """Press the button with this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def fill(self, values: dict[str, str]) -> None:
        """Fill fields by label."""
        for label, value in values.items():
            # Labels of fields that may stay empty go on with "(optional)".
            field = self.page.get_by_label(re.compile(rf"^{re.escape(label)}( \(optional\))?$"))
            # An editor takes the place of its field as the page's scripts run, and a field that was found stays found.
            field.wait_for()
            self.page.wait_for_load_state()
            field.fill(value)

    def tab_to(self, target: Locator) -> None:
        """Press Tab until `target` has the focus. Raises AssertionError where it cannot be reached."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"{target} cannot be reached with Tab on {self.page.url}")

    def heading(self, text: str, timeout: float = LONG_MS) -> None:
        """Wait for a page whose heading matches the expression `text`; a page that says a request failed ends it."""
        heading = self.page.locator("h1")
        expect(heading).to_contain_text(re.compile(f"{text}|{FAILED}"), timeout=timeout)
        expect(heading).to_contain_text(re.compile(text))

    def region(self, name: str) -> Locator:
        """A table or another region by its label."""
        return self.page.get_by_role("region", name=name, exact=True)

    def card(self, title: str) -> Locator:
        """A card by its heading."""
        heading = self.page.get_by_role("heading", level=2, name=title, exact=True)
        return self.page.locator("section.card").filter(has=heading)

    def complained(self) -> list[str]:
        """Script errors, policy violations and answers of 500 and more, so far."""
        return [*self.watched.errors, *self.watched.failed]


def watch_all(page: Page) -> Watched:
    """What `watch` gathers, and scripts or styles that broke off half-way."""
    found = watch(page)

    def on_failure(request: Request) -> None:
        if request.resource_type in ("script", "stylesheet", "image", "font") and "ABORTED" not in str(request.failure):
            found.failed.append(f"{request.failure} {request.url}")

    page.on("requestfailed", on_failure)
    return found


@contextmanager
def visitor(browser: Browser, url: str) -> Iterator[Visitor]:
    """Somebody new, with no cookies."""
    context = browser.new_context(viewport=WIDE)  # type: ignore[arg-type]
    context.set_default_timeout(2 * TIMEOUT_MS)
    page = context.new_page()
    expect.set_options(timeout=2 * TIMEOUT_MS)
    try:
        yield Visitor(page, url, watch_all(page))
    finally:
        expect.set_options(timeout=TIMEOUT_MS)
        context.close()

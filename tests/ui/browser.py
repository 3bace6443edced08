"""A real browser for page tests: `check_page(page)` looks at what every page must keep.

Fixtures: `page` (1280 px wide), `narrow_page` (375 px). `sign_in(page, server, name)` uses the form.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import CDPSession, ConsoleMessage, Locator, Page, Response, expect

from tests.conftest import PASSWORD

CHROMIUM = os.environ.get("MODELWRIGHT_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 375, "height": 800}
TIMEOUT_MS = 30_000
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Watched:
    """What a page said while it was watched."""

    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def watch(page: Page) -> Watched:
    """Gather script errors, policy violations and failed requests of `page` from now on."""
    found = Watched()

    def on_console(message: ConsoleMessage) -> None:
        # The browser itself reports each failed request; `failed` judges those by address.
        if message.type == "error" and "Failed to load resource" not in message.text:
            found.errors.append(message.text)

    def on_response(response: Response) -> None:
        is_asset = response.request.resource_type in ("script", "stylesheet", "image", "font")
        if response.status >= 500 or (response.status >= 400 and is_asset):
            found.failed.append(f"{response.status} {response.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("response", on_response)
    page.__dict__["watched"] = found
    return found


def axe_violations(page: Page) -> list[str]:
    """Run axe-core and return one line for each violation. It goes in over CDP, since the policy forbids `eval`."""
    session: CDPSession = page.context.new_cdp_session(page)
    try:
        _evaluate(session, f"{AXE.read_text()};1")
        options = json.dumps({"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"]})
        places = "v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + ' # ' + n.failureSummary).join(' || ')"
        line = f"v.id + ': ' + v.help + ' | ' + {places}"
        expression = f"axe.run(document, {options}).then(r => r.violations.map(v => {line}))"
        violations: list[str] = _evaluate(session, expression)
        return violations
    finally:
        session.detach()


def _evaluate(session: CDPSession, expression: str) -> Any:
    answer = session.send("Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True})
    if "exceptionDetails" in answer:
        raise AssertionError(str(answer["exceptionDetails"])[:2000])
    return answer["result"].get("value")


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    width: int = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def keep_screenshot(page: Page) -> None:
    """Write a picture of the whole page into the folder that MODELWRIGHT_SCREENSHOTS names, to be looked at."""
    folder = os.environ.get("MODELWRIGHT_SCREENSHOTS")
    if folder:
        width = (page.viewport_size or WIDE)["width"]
        scheme = "dark" if page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches") else "light"
        name = re.sub(r"[^a-z0-9]+", "-", urlsplit(page.url).path.lower()).strip("-") or "start"
        page.screenshot(path=f"{folder}/{name[:80]}-{width}-{scheme}.png", full_page=True)


def check_width(page: Page) -> None:
    """Assert that the page is no wider than the window."""
    keep_screenshot(page)
    assert overflow(page) <= 0, f"{page.url} is {overflow(page)} px wider than the window"


def check_page(page: Page) -> None:
    """Assert what every page keeps: a title and one h1, a main landmark, no horizontal overflow, no accessibility
    violation, and, where `watch` was called, no script error, policy violation or failed asset."""
    expect(page.locator("main#main")).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.locator("h1")).to_have_count(1)
    assert page.title().endswith("Modelwright")
    check_width(page)
    violations = axe_violations(page)
    assert not violations, f"{page.url}\n" + "\n".join(violations)
    watched = page.__dict__.get("watched")
    if isinstance(watched, Watched):
        assert not watched.errors, f"{page.url}: {watched.errors}"
        assert not watched.failed, f"{page.url}: {watched.failed}"


def editor(page: Page, label: str) -> Locator:
    """The editor that takes the place of the field `label` when the page's scripts have run. A field that is found
    before that is the plain one, which is then hidden, and Playwright would wait for that one."""
    return page.locator(".editor").get_by_role("textbox", name=label)


def sign_in(page: Page, server: str, username: str, password: str = PASSWORD) -> None:
    """Sign in by the form."""
    page.goto(f"{server}/login/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("summary", has_text=f"Signed in as {username}")).to_be_visible(timeout=TIMEOUT_MS)

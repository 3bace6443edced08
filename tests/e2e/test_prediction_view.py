"""The demo's application through the proxy, as a person uses it: a customer, why, and what if."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.stack import Rest, Stack, wait_for
from tests.e2e.visitor import LONG_MS, Visitor, visitor
from tests.ui.browser import NARROW, axe_violations, keep_screenshot, overflow


@pytest.fixture
def admin(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    with visitor(browser, stack.web_url) as person:
        yield person


def check(page: Page) -> None:
    """No violation of accessibility, and no wider than the window, also on a telephone."""
    assert axe_violations(page) == []
    before = page.viewport_size
    assert before
    for size in (before, {**NARROW, "width": 400}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        keep_screenshot(page)
        assert overflow(page) <= 0
    page.set_viewport_size(before)


def number(text: str) -> float:
    """The first number of a text, with the sign that people read."""
    found = re.search(r"[+−-]?\d+\.\d", text)
    assert found, text
    return float(found[0].replace("−", "-"))


def found(rest: Rest, prediction: str) -> dict[str, Any] | None:
    """The prediction on record, None while it is on its way there."""
    answer = rest.session.get(f"{rest.web_url}/api/v1/predictions/{prediction}/", timeout=60)
    return answer.json() if answer.ok else None


def test_a_person_picks_a_customer_sees_why_and_asks_what_if(stack: Stack, rest: Rest, admin: Visitor) -> None:
    way_in = re.search(r"^Application\s+(\S+)enter/$", stack.output, re.MULTILINE)
    assert way_in, stack.output[-2000:]
    admin.sign_in_by_keyboard("admin", stack.password)
    page = admin.page
    page.goto(way_in[1])
    # It may be on its way up, when another test has just started the platform anew.
    page.get_by_role("link", name="Open", exact=True).click(timeout=LONG_MS)
    admin.heading("Pick a customer")
    assert stack.sessions_url.rpartition(":")[2] in page.url
    check(page)

    page.get_by_role("row").nth(1).get_by_role("link").click()
    admin.heading("Customer ")
    answers = page.locator(".answer")
    expect(answers).to_have_count(1)
    expect(answers).to_contain_text("churn version")
    before = number(answers.locator(".probability").inner_text())
    cells = page.locator("table.why tbody tr td:nth-child(2)")
    expect(cells).to_have_count(19)
    mean, *parts = [number(cell.locator(".points").inner_text()) if cell.locator(".points").count() else
                    number(cell.inner_text()) for cell in cells.all()]  # fmt: skip
    # Each is written with one digit.
    assert abs(mean + sum(parts) - before) <= 0.05 * 20
    check(page)

    page.get_by_label("Tenure", exact=True).fill("long")
    admin.press("Ask again")
    expect(page.get_by_text("'long' is not a whole number, such as 12.")).to_be_visible()
    expect(page.get_by_label("Tenure", exact=True)).to_have_value("long")
    check(page)

    # By keyboard: the two values that matter most, and Enter.
    contract = page.get_by_label("Contract", exact=True)
    admin.tab_to(contract)
    other = "Two year" if contract.input_value() == "Month-to-month" else "Month-to-month"
    contract.select_option(other)
    page.get_by_label("Tenure", exact=True).fill("1" if other == "Month-to-month" else "70")
    admin.tab_to(page.get_by_role("button", name="Ask again"))
    page.keyboard.press("Enter")
    expect(answers).to_have_count(2)
    first, second = (number(text) for text in page.locator(".probability").all_inner_texts())
    assert first == before
    assert abs(second - first) > 5
    expect(answers.nth(1)).to_contain_text("points")
    expect(page.locator("tr.changed")).to_have_count(2)
    ids = [link.inner_text() for link in answers.get_by_role("link").all()]
    assert len(set(ids)) == 2
    check(page)

    # Both answers are on record, the one for the changed customer with what was changed.
    recorded = wait_for("the prediction on record", lambda: found(rest, ids[1]))
    assert recorded["inputs"][0]["contract"] == other
    answers.nth(1).get_by_role("link").click()
    admin.heading("Prediction")
    expect(page.get_by_label("Input", exact=True)).to_contain_text(other)
    assert admin.complained() == []

"""A live part that replaces itself takes neither focus nor an opened remark nor a scrolled table away from a person."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.ui.browser import NARROW, TIMEOUT_MS
from tests.ui.test_components import gallery, open_gallery

__all__ = ["gallery"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


WIDE = "document.querySelector('[data-steady] .table-region')"


def wait_for_swaps(page: Page, times: int = 3) -> None:
    """Until the part was replaced `times` more often."""
    count = page.locator("[data-steady-count]")
    wanted = int(count.inner_text()) + times
    page.wait_for_function(
        "wanted => Number(document.querySelector('[data-steady-count]').textContent) >= wanted",
        arg=wanted,
        timeout=TIMEOUT_MS,
    )


def test_the_focus_stays_on_the_same_link(page: Page, gallery: str) -> None:
    open_gallery(page, gallery)
    page.get_by_role("link", name="See it").nth(1).focus()
    wait_for_swaps(page)
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("href", "/gallery/?other")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?other$"))


def test_what_was_opened_stays_open_and_what_was_closed_closed(page: Page, gallery: str) -> None:
    open_gallery(page, gallery)
    page.get_by_text("Why it is so").click()
    wait_for_swaps(page)
    expect(page.locator("[data-steady-details]")).to_have_attribute("open", "")
    page.get_by_text("Why it is so").click()
    wait_for_swaps(page)
    expect(page.locator("[data-steady-details]")).not_to_have_attribute("open", "")


def test_a_table_that_was_scrolled_stays_there(page: Page, gallery: str) -> None:
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    open_gallery(page, gallery)
    # In one go: the part is replaced all the while, and what one holds of it is soon no part of the page.
    assert page.evaluate(f"{WIDE}.scrollLeft = 120, {WIDE}.scrollLeft") == 120
    wait_for_swaps(page)
    assert page.evaluate(f"{WIDE}.scrollLeft") == 120

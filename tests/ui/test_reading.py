"""What one reads is the same everywhere: moments in UTC, whole tables on paper, the tab that is open, what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.models import User
from modelwright.core.looks import size
from tests.ui.browser import NARROW, TIMEOUT_MS, check_width, sign_in
from tests.ui.test_components import gallery

__all__ = ["gallery"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
# What uPlot writes beside the axis at the first moment, and what the legend says of it.
LEGEND = (
    """figure => { figure.plot.setCursor({ left: 0, top: 10 }); return figure.querySelector('.u-legend').innerText; }"""
)
TICKS = """figure => figure.plot.axes[0]._values.filter(Boolean).join(' ')"""


def open_reading(page: Page, gallery: str) -> None:
    sign_in(page, gallery.removesuffix("/gallery/"), "stranger")
    page.goto(f"{gallery}reading/")


def test_charts_tell_times_in_utc_wherever_the_browser_is(browser: Browser, gallery: str) -> None:
    context: Any = browser.new_context(timezone_id="Asia/Tokyo", locale="en-US")
    page = context.new_page()
    try:
        open_reading(page, gallery)
        figure = page.locator("figure", has_text="Requests over time")
        expect(figure.locator("canvas")).to_be_visible(timeout=TIMEOUT_MS)
        assert "2026-11-27 21:00:00 UTC" in figure.evaluate(LEGEND)
        ticks = figure.evaluate(TICKS)
        assert "21:30" in ticks
        assert "2026-11-27" in ticks
    finally:
        context.close()


def test_on_paper_tables_are_whole_and_times_are_told_in_full(page: Page, gallery: str) -> None:
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    open_reading(page, gallery)
    page.emulate_media(media="print")
    expect(page.locator(".bar").first).to_be_hidden()
    expect(page.locator(".form").first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.table-region')).overflowX") == "visible"
    after = "time => getComputedStyle(time, '::after').content"
    assert "UTC" in page.locator("time.relative").first.evaluate(after)


def test_the_tab_that_is_open_is_seen_on_a_narrow_screen(page: Page, gallery: str) -> None:
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    open_reading(page, gallery)
    tab = page.get_by_role("link", name="A section 12")
    expect(tab).to_have_attribute("aria-current", "page")
    left, right = tab.evaluate("tab => { const box = tab.getBoundingClientRect(); return [box.left, box.right]; }")
    assert 0 <= left < right <= NARROW["width"]


def test_what_is_wrong_with_a_form_gets_the_focus(page: Page, live_server: LiveServer, stranger: User) -> None:
    sign_in(page, live_server.url, "stranger")
    page.goto(f"{live_server.url}/profile/tokens/new/")
    page.get_by_label("Name").focus()
    page.keyboard.press("Enter")
    wrong = page.get_by_role("alert")
    expect(wrong).to_be_focused()
    expect(wrong).to_contain_text("Nothing was changed")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Name")).to_be_focused()


def test_a_choice_is_sent_when_it_is_made_and_not_while_keys_pass_over_others(
    page: Page, live_server: LiveServer, stranger: User
) -> None:
    sign_in(page, live_server.url, "stranger")
    address = f"{live_server.url}/batch-jobs/"
    page.goto(address)
    page.get_by_label("State").select_option("running")
    expect(page).to_have_url(re.compile("state=running"), timeout=TIMEOUT_MS)
    page.go_back()
    expect(page).to_have_url(address, timeout=TIMEOUT_MS)
    expect(page.get_by_label("State")).to_have_value("", timeout=TIMEOUT_MS)
    page.get_by_label("State").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    # At its first digit the year is one already, if not the one that is meant.
    page.keyboard.type("11272026")
    expect(page.get_by_label("Since")).to_have_value("2026-11-27")
    assert page.url == address
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"state=\w+&since=2026-11-27"), timeout=TIMEOUT_MS)


def test_pages_fit_as_little_as_320_pixels_whoever_is_signed_in(
    page: Page, live_server: LiveServer, make_user: Callable[..., User]
) -> None:
    """Which is what is left of 1280 at four times the size (WCAG 1.4.10)."""
    name = "a" * 40
    make_user(name)
    sign_in(page, live_server.url, name)
    for width in (320, 375):
        page.set_viewport_size({"width": width, "height": 640})
        for path in ("/", "/hosts/", "/batch-jobs/", "/profile/"):
            page.goto(f"{live_server.url}{path}")
            check_width(page)
        for menu in ("Menu", name):
            page.locator("summary", has_text=menu).click()
            check_width(page)
            panel = page.locator("details[open] .menu-panel").bounding_box()
            assert panel is not None
            assert panel["x"] >= 0, menu
            page.keyboard.press("Escape")


def test_a_refusal_leads_back_to_where_one_was(page: Page, live_server: LiveServer, stranger: User) -> None:
    sign_in(page, live_server.url, "stranger")
    page.goto(f"{live_server.url}/usage/?by=person")
    page.evaluate("document.querySelector('main a, .foot a').href = '/nothing-here/'")
    page.locator("a[href='/nothing-here/']").click()
    page.get_by_role("link", name="Go back").click()
    expect(page).to_have_url(f"{live_server.url}/usage/?by=person")


def test_sizes_have_one_unit_everywhere() -> None:
    assert [size(2**20), size(2**31), size(512), size(2048)] == [
        "1.0\xa0MiB",
        "2.0\xa0GiB",
        "512\xa0bytes",
        "2.0\xa0KiB",
    ]

"""Every component in a browser: accessible, at both widths and in both schemes, and alive."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.models import User
from tests.ui.browser import TIMEOUT_MS, check_page, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def gallery(settings: Any, live_server: LiveServer, stranger: User) -> str:
    """The address of the page with every component."""
    settings.ROOT_URLCONF = "tests.ui.gallery"
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [*templates[0]["DIRS"], Path(__file__).parent / "templates"]
    settings.TEMPLATES = templates
    return f"{live_server.url}/gallery/"


def open_gallery(page: Page, gallery: str) -> None:
    sign_in(page, gallery.removesuffix("/gallery/"), "stranger")
    page.goto(gallery)


def test_components_are_accessible_at_both_widths_and_in_both_schemes(page: Page, gallery: str) -> None:
    open_gallery(page, gallery)
    expect(page.locator("#live")).to_have_text("The answer is here.", timeout=TIMEOUT_MS)
    expect(page.locator(".chart-canvas canvas")).to_be_visible(timeout=TIMEOUT_MS)
    check_page(page)
    page.emulate_media(color_scheme="dark")
    check_page(page)
    page.set_viewport_size({"width": 375, "height": 800})
    check_page(page)
    page.emulate_media(color_scheme="light")
    check_page(page)


def test_a_log_goes_on_where_it_stopped(page: Page, gallery: str) -> None:
    open_gallery(page, gallery)
    log = page.get_by_role("log", name="Log of run 7")
    expect(log).to_have_text("first line\nsecond line\nthird line\n", timeout=TIMEOUT_MS)
    expect(page.get_by_text("The log is complete.")).to_be_visible()


def test_a_chart_has_its_figures_as_a_table(page: Page, gallery: str) -> None:
    open_gallery(page, gallery)
    page.get_by_text("As a table").click()
    table = page.get_by_role("region", name="Loss by step, as a table")
    expect(table.get_by_role("row")).to_have_count(5, timeout=TIMEOUT_MS)
    assert table.get_by_role("row").nth(3).inner_text().split("\t") == ["2", "0.5", "0.6"]


def test_copying(page: Page, gallery: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_gallery(page, gallery)
    button = page.get_by_role("button", name="Copy 0123456789ab")
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == "0123456789abcdef0123456789abcdef"


def test_the_menu_works_by_keyboard_and_closes_with_escape(page: Page, gallery: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    open_gallery(page, gallery)
    menu = page.locator("summary", has_text="Signed in as")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    check_page(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(menu).to_be_focused()


def test_pages_work_without_scripts(browser: Any, gallery: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 800})
    page = context.new_page()
    try:
        open_gallery(page, gallery)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Every component")
        expect(page.get_by_role("button", name="Copy").first).to_be_hidden()
        page.locator("summary", has_text="Signed in as").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("status").get_by_text("You are signed out.")).to_be_visible()
    finally:
        context.close()

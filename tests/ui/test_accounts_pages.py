"""Accounts pages in a real browser: look, accessibility, keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.models import User
from tests.ui.browser import check_page, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ADMIN_PAGES = ["/", "/profile/", "/profile/password/", "/profile/tokens/new/", "/people/", "/people/new/", "/audit/"]
DOCS_PAGES = ["/audit/seal/", "/api/docs/", "/docs/problems/"]


def test_sign_in_page_is_accessible_at_both_widths(page: Page, narrow_page: Page, live_server: LiveServer) -> None:
    for each in (page, narrow_page):
        each.goto(f"{live_server.url}/login/")
        check_page(each)


@pytest.mark.parametrize("path", [*ADMIN_PAGES, *DOCS_PAGES])
def test_pages_of_an_administrator(page: Page, live_server: LiveServer, admin: User, path: str) -> None:
    sign_in(page, live_server.url, "admin")
    page.goto(f"{live_server.url}{path}")
    check_page(page)
    page.set_viewport_size({"width": 375, "height": 800})
    check_page(page)
    page.emulate_media(color_scheme="dark")
    check_page(page)


def test_sign_in_and_out_by_keyboard_alone(page: Page, live_server: LiveServer, stranger: User) -> None:
    page.goto(f"{live_server.url}/profile/")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("stranger")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery staple")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="stranger")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    menu = page.locator("summary", has_text="stranger")
    for _ in range(15):
        page.keyboard.press("Tab")
        if menu.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent") == "Sign out":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").get_by_text("You are signed out.")).to_be_visible()
    expect(page).to_have_url(f"{live_server.url}/login/")


def test_wrong_password_is_said_and_kept_off_the_page(page: Page, live_server: LiveServer, stranger: User) -> None:
    page.goto(f"{live_server.url}/login/")
    page.get_by_label("User name").fill("stranger")
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The name or the password is not right.")
    expect(page.get_by_label("Password")).to_have_value("")
    check_page(page)


def test_making_and_revoking_a_token(page: Page, live_server: LiveServer, stranger: User) -> None:
    sign_in(page, live_server.url, "stranger")
    page.goto(f"{live_server.url}/profile/")
    page.get_by_role("link", name="New API token").click()
    page.get_by_label("Name").fill("ci")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_role("region", name="Secret")).to_contain_text("mwt_")
    check_page(page)
    page.get_by_role("link", name="Back to the profile").click()
    page.get_by_role("link", name="Revoke ci").click()
    check_page(page)
    page.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_text("The token “ci” is revoked.")).to_be_visible()
    expect(page.get_by_text("No API tokens")).to_be_visible()


def test_page_that_does_not_exist_is_a_friendly_page(page: Page, live_server: LiveServer, stranger: User) -> None:
    sign_in(page, live_server.url, "stranger")
    page.goto(f"{live_server.url}/nowhere/")
    expect(page.get_by_role("heading", level=1, name="Not found")).to_be_visible()
    check_page(page)

"""The documentation pages in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.models import User
from tests.ui.browser import check_page, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_an_operation_opens_and_shows_a_request(page: Page, live_server: LiveServer, stranger: User) -> None:
    sign_in(page, live_server.url, "stranger")
    page.goto(f"{live_server.url}/api/docs/")
    operation = page.locator("#tokens_create")
    operation.locator("summary").click()
    expect(operation.get_by_role("region", name="Request with curl")).to_contain_text("Authorization: Bearer")
    expect(operation.get_by_role("region", name="Body")).to_contain_text("expires_at")
    check_page(page)
    page.set_viewport_size({"width": 375, "height": 800})
    check_page(page)


def test_a_problem_type_is_an_address(page: Page, live_server: LiveServer, stranger: User) -> None:
    sign_in(page, live_server.url, "stranger")
    page.goto(f"{live_server.url}/docs/problems/#conflict")
    expect(page.locator("#conflict")).to_be_in_viewport()
    expect(page.locator("#conflict")).to_contain_text("In conflict with the present state")

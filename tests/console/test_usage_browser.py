"""The pages of usage and processes in a real browser, with figures and with a wrong question."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.models import User
from tests.console.usage_support import project, workload, workspace
from tests.ui.browser import check_page, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_usage_and_processes_are_pages_for_everybody(
    page: Page, live_server: LiveServer, make_user: Callable[..., User]
) -> None:
    make_user("admin", is_site_admin=True)
    churn = project(workspace("sales"), "churn")
    workload(churn)
    of_one = workload(churn, created_by="bob", spec={"command": ["python", "a" * 300], "environment": {"A": "b" * 300}})
    sign_in(page, live_server.url, "admin")
    period = "since=2026-03-01&until=2026-03-08"
    for size in ({"width": 1280, "height": 900}, {"width": 400, "height": 800}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.goto(f"{live_server.url}/usage/?by=person&{period}")
        expect(page.get_by_role("row", name="bob")).to_be_visible()
        expect(page.locator(".uplot")).to_be_visible()
        check_page(page)
        for path in ("/usage/?since=x", "/workloads/?page=x", f"/workloads/{of_one.pk}/", "/usage/rates/"):
            page.goto(live_server.url + path)
            check_page(page)

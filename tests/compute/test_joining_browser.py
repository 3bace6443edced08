"""The pages of joining in a browser: the command is there to copy, and nothing is wider than the window."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.models import User
from modelwright.compute import transitions
from tests.ui.browser import check_page, sign_in

from .support import make_host, queue

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SHOTS = os.environ.get("MODELWRIGHT_SCREENSHOTS", "")


def look(page: Page, name: str) -> None:
    """Check what is shown; keep a picture where somebody wants one."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}-{page.viewport_size['width']}.png", full_page=True)  # type: ignore[index]
    check_page(page)


@pytest.mark.parametrize("width", [1280, 400])
def test_a_host_is_added_and_removed_by_hand(page: Page, live_server: LiveServer, admin: User, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    away = make_host("gpu-machine-7.example.org")
    running = queue(name="acme/churn/train #12")
    fence = transitions.place(running, away, environment=None)
    assert fence is not None
    transitions.begin_start(running.pk, fence)
    sign_in(page, live_server.url, "admin")
    page.goto(f"{live_server.url}/hosts/")
    look(page, "hosts")
    page.get_by_role("link", name="Add a host").click()
    look(page, "add")
    page.get_by_label("Labels").fill("disk=ssd\nzone=a")
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_text("./modelwright join https://platform.example.org --token mwj_")).to_be_visible()
    look(page, "command")
    page.goto(f"{live_server.url}/hosts/tokens/")
    expect(page.get_by_text("disk=ssd, zone=a")).to_be_visible()
    look(page, "tokens")
    page.goto(f"{live_server.url}/hosts/")
    page.get_by_role("link", name="Remove gpu-machine-7").click()
    look(page, "remove")
    page.get_by_role("button", name="Remove the host").click()
    expect(page.get_by_text("would be lost").first).to_be_visible()
    look(page, "refused")
    page.get_by_label("although something runs").check()
    page.get_by_role("button", name="Remove the host").click()
    expect(page.get_by_text("is removed")).to_be_visible()
    look(page, "removed")

"""Pages of workspaces and projects in a real browser: look, accessibility, both widths, both colour schemes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from projects import source
from projects.models import Variable
from tests.projects.conftest import Cast
from tests.ui.browser import check_page, editor, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(900)]


def _check_everywhere(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    check_page(page)
    page.set_viewport_size({"width": 375, "height": 800})
    check_page(page)
    page.emulate_media(color_scheme="dark")
    check_page(page)


def test_every_page_of_a_workspace_and_a_project(page: Page, live_server: LiveServer, cast: Cast) -> None:
    sign_in(page, live_server.url, "admin")
    workspace, project = f"/workspaces/{cast.workspace.pk}/", f"/projects/{cast.project.pk}/"
    head = source.head(cast.project)
    for path in [
        "/workspaces/",
        "/workspaces/new/",
        workspace,
        f"{workspace}members/",
        f"{workspace}members/viewer/remove/",
        f"{workspace}data-connections/",
        f"{workspace}data-connections/new/?kind=postgresql",
        f"{workspace}settings/",
        f"{workspace}projects/new/",
        f"{workspace}projects/new/?prototype=churn",
        project,
        f"{project}files/",
        f"{project}files/?path=train.py",
        f"{project}files/edit/?path=train.py",
        f"{project}files/delete/?path=train.py",
        f"{project}history/",
        f"{project}commits/{head}/",
        f"{project}members/",
        f"{project}variables/",
        f"{project}edit/",
    ]:
        page.goto(f"{live_server.url}{path}")
        _check_everywhere(page)


def test_from_the_workspace_to_a_project_and_a_commit(page: Page, live_server: LiveServer, cast: Cast) -> None:
    sign_in(page, live_server.url, "owner")
    page.goto(f"{live_server.url}/workspaces/")
    page.get_by_role("link", name="lab").click()
    page.get_by_role("link", name="New project").click()
    page.get_by_role("link", name="Start from churn").click()
    page.get_by_label("Name").fill("Not Valid")
    page.get_by_role("button", name="Make project").click()
    expect(page.get_by_text("A name has 1 to 63 small letters")).to_be_visible()
    page.get_by_label("Name").fill("leavers")
    page.get_by_role("button", name="Make project").click()
    expect(page.get_by_role("heading", level=1, name="leavers")).to_be_visible()
    check_page(page)
    page.get_by_role("navigation", name="Sections of the project").get_by_role("link", name="Files").click()
    page.get_by_role("link", name="README.md").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    editor(page, "Content").fill("# Leavers\n")
    page.get_by_role("button", name="Commit").click()
    expect(page.get_by_text("README.md is committed as")).to_be_visible()
    page.get_by_role("navigation", name="Sections of the project").get_by_role("link", name="History").click()
    page.get_by_role("row", name="Change README.md").get_by_role("link").click()
    expect(page.get_by_text("+# Leavers")).to_be_visible()
    check_page(page)


def test_a_variable_is_set_by_keyboard(page: Page, live_server: LiveServer, cast: Cast) -> None:
    sign_in(page, live_server.url, "owner")
    page.goto(f"{live_server.url}/projects/{cast.project.pk}/variables/")
    page.get_by_role("textbox", name="Name", exact=True).focus()
    page.keyboard.type("REGION")
    page.keyboard.press("Tab")
    page.keyboard.type("north")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("REGION is set.")).to_be_visible()
    assert not Variable.objects.get().is_secret

"""The page of imports in a real browser: asked for, watched, cancelled, asked for again; both widths."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connections
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.actors import Actor
from projects import source
from projects.importing.carrying_out import Importer
from projects.variables.services import set_variable
from tests.projects.conftest import Cast
from tests.projects.importing import Upstream
from tests.projects.test_imports import PASSWORD, server, theirs
from tests.ui.browser import NARROW, WIDE, check_page, keep_screenshot, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]
__all__ = ["server", "theirs"]


def _check(page: Page) -> None:
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        check_page(page)
        keep_screenshot(page)


@pytest.fixture
def importer(cast: Cast) -> Iterator[Importer]:
    """What the watcher does each second, until the test ends and nothing is under way."""
    made, stop = Importer(), threading.Event()

    def run() -> None:
        while not stop.wait(0.3) or made.is_busy:
            made.tick()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    yield made
    stop.set()
    thread.join(60)


def test_a_repository_is_imported_watched_and_imported_again(
    page: Page, live_server: LiveServer, cast: Cast, theirs: Upstream, importer: Importer
) -> None:
    owner = Actor.person(cast.owner)
    set_variable(cast.project, name="THEIR_TOKEN", value=PASSWORD, is_secret=True, acting_user=owner)
    theirs.server.credentials = f"ann:{PASSWORD}"
    theirs.server.pause = 60
    sign_in(page, live_server.url, "contributor")
    page.goto(f"{live_server.url}/projects/{cast.project.pk}/files/")
    page.get_by_role("link", name="Import", exact=True).click()
    _check(page)
    page.get_by_role("textbox", name="Address").fill("ssh://git.example.org/a.git")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("does not begin with https://")).to_be_visible()
    page.get_by_role("textbox", name="Address").fill(theirs.server.address())
    page.get_by_label("Name to sign in with").fill("ann")
    page.get_by_label("Secret with the password or token").select_option("THEIR_TOKEN")
    page.get_by_role("button", name="Import", exact=True).click()
    newest = page.locator("#newest-import")
    expect(newest.get_by_text("Asking the server")).to_be_visible()
    _check(page)
    newest.get_by_role("link", name="Cancel the import").click()
    _check(page)
    page.get_by_role("button", name="Stop the import").click()
    expect(newest.get_by_text("was cancelled")).to_be_visible()
    # The form still has what was asked for, without the tick to replace.
    theirs.server.pause = 0
    expect(page.get_by_role("textbox", name="Address")).to_have_value(theirs.server.address())
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("table").get_by_text("succeeded")).to_be_visible(timeout=60_000)
    expect(newest.get_by_text("its files are the project's")).to_be_visible()
    _check(page)
    newest.get_by_role("link", name="commit").click()
    expect(page.get_by_role("heading", name="Import https://localhost")).to_be_visible()
    assert "train.py" in source.list_files(cast.project, str(source.head(cast.project)))
    page.goto(f"{live_server.url}/projects/{cast.project.pk}/secret-reads/")
    expect(page.get_by_role("rowheader", name="import of https://localhost").first).to_be_visible()
    theirs.server.credentials = "ann:changed"
    page.goto(f"{live_server.url}/projects/{cast.project.pk}/import/")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("table").get_by_text("failed")).to_be_visible(timeout=60_000)
    expect(newest.get_by_text("password or token is wrong")).to_be_visible()
    _check(page)

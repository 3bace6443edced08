"""Batch jobs in a real browser: started by keyboard, watched, taken away; at both widths and for screen readers."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from projects.models import Project
from tests.batch.wine import csv_of
from tests.models_support import wait_for
from tests.ui.browser import NARROW, WIDE, check_page, sign_in

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


@pytest.fixture
def web(live_server: LiveServer) -> str:
    """Pages are asked of this process, and so is what scoring processes ask."""
    return str(live_server.url)


def check_both(page: Page) -> None:
    """The page at both widths."""
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        check_page(page)


def test_a_job_is_started_by_keyboard_watched_and_taken_away(
    page: Page, live_server: LiveServer, project: Project, version: Any, turn: Callable[[], None], tmp_path: Path
) -> None:
    file = tmp_path / "wine.csv"
    file.write_text(csv_of(600, bad={3: "3,much,1.0,500,light,north"}))
    sign_in(page, live_server.url, "ann")
    page.goto(f"{live_server.url}/projects/{project.pk}/batch-jobs/")
    expect(page.get_by_text("No batch jobs yet")).to_be_visible()
    page.get_by_role("link", name="New batch job").press("Enter")
    expect(page.locator("h1")).to_have_text("New batch job")
    check_both(page)
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("Key columns").fill("id")
    page.get_by_label("Rows in a chunk").fill("50")
    page.get_by_label("Rows in a chunk").press("Enter")
    expect(page.locator("h1")).to_contain_text("Batch #1")
    state = page.locator("#batch-state")

    def shows(text: str) -> Callable[[], bool]:
        def does() -> bool:
            turn()
            page.wait_for_timeout(200)
            return text in state.inner_text().lower()

        return does

    wait_for(shows("rows are being scored"))
    wait_for(shows("succeeded"))
    expect(page.get_by_text("alcohol: expected a number, got 'much'.")).to_be_visible()
    check_both(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Output").press("Enter")
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [row["id"] for row in rows] == [str(number) for number in range(1, 601)]
    assert download.value.suggested_filename == "wine-batch-1.csv"

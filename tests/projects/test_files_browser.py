"""Files in a real browser: written by keyboard, committed, compared, restored; a notebook; both widths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.actors import Actor
from projects import services, source
from tests.projects.conftest import Cast
from tests.ui.browser import NARROW, WIDE, check_page, editor, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]


def _check(page: Page) -> None:
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        check_page(page)


def _put(cast: Cast, changes: dict[str, bytes | None]) -> str:
    return services.commit(
        cast.project,
        changes,
        message="More",
        expected_head=source.head(cast.project),
        acting_user=Actor.person(cast.owner),
    )


def test_a_file_is_edited_committed_compared_and_restored(page: Page, live_server: LiveServer, cast: Cast) -> None:
    before = _put(cast, {"src/a.py": b"def f():\n    return 1  # one\n"})
    files = f"{live_server.url}/projects/{cast.project.pk}/files/"
    sign_in(page, live_server.url, "contributor")
    page.goto(f"{files}?path=src/a.py")
    _check(page)
    page.get_by_role("link", name="Edit", exact=True).click()
    text = editor(page, "Content")
    expect(text).to_contain_text("return 1")
    _check(page)
    page.emulate_media(color_scheme="dark")
    check_page(page)
    page.emulate_media(color_scheme="light")
    # By keyboard alone: new lines are indented as Python is, and Escape with Tab leaves the text.
    text.focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("def g():\nreturn 'two'")
    # Once for the list of completions, where it has opened, and once for the text.
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.get_by_label("What changes, and why")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("A second function")
    page.keyboard.press("Enter")
    expect(page.get_by_text("src/a.py is committed as")).to_be_visible()
    written = source.read_file(cast.project, source.check_commit(cast.project, None), "src/a.py").text
    assert written == "def f():\n    return 1  # one\ndef g():\n    return 'two'"
    page.get_by_role("link", name="History of this file").click()
    _check(page)
    page.get_by_role("link", name=f"Compare {before[:12]} with the newest").click()
    expect(page.get_by_role("region", name="Difference")).to_contain_text("+def g():")
    _check(page)
    page.goto(f"{files}?path=src/a.py&commit={before}")
    page.get_by_role("link", name="Restore this version").click()
    expect(page.get_by_role("region", name="Difference")).to_contain_text("-def g():")
    _check(page)
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text(f"src/a.py restored as of {before[:12]}")).to_be_visible()
    head = source.check_commit(cast.project, None)
    assert source.read_file(cast.project, head, "src/a.py").text == "def f():\n    return 1  # one\n"


def test_files_are_uploaded_and_a_notebook_is_read(
    page: Page, live_server: LiveServer, cast: Cast, tmp_path: Path
) -> None:
    table = (
        "<table><thead><tr><th></th><th>churn</th></tr></thead><tbody><tr><th>0</th><td>0.25</td></tr></tbody></table>"
    )
    outputs = [
        {"output_type": "display_data", "data": {"text/html": f"{table}<script>document.title='no'</script>"}},
        {"output_type": "stream", "name": "stderr", "text": "a warning\n"},
    ]
    cells = [
        {"cell_type": "markdown", "source": "Who **leaves**\n\n| a | b |\n|---|---|\n| 1 | 2 |"},
        {"cell_type": "code", "execution_count": 1, "source": "import pandas as pd\nframe", "outputs": outputs},
        {"cell_type": "code", "execution_count": None, "source": "<img src=x onerror=alert(1)>", "outputs": []},
    ]
    (tmp_path / "look.ipynb").write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}))
    (tmp_path / "b.txt").write_text("b")
    sign_in(page, live_server.url, "contributor")
    page.goto(f"{live_server.url}/projects/{cast.project.pk}/files/")
    _check(page)
    page.get_by_role("link", name="Upload").click()
    _check(page)
    page.get_by_label("Files", exact=True).set_input_files([tmp_path / "look.ipynb", tmp_path / "b.txt"])
    page.get_by_role("button", name="Commit files").click()
    expect(page.get_by_text("2 files are committed as")).to_be_visible()
    page.get_by_role("link", name="look.ipynb").click()
    expect(page.get_by_role("cell", name="0.25")).to_be_visible()
    expect(page.get_by_text("a warning")).to_be_visible()
    _check(page)


def test_who_writes_before_the_editor_has_come_goes_on_where_they_are(
    page: Page, live_server: LiveServer, cast: Cast
) -> None:
    _put(cast, {"notes.txt": b"one\nthree\n"})
    sign_in(page, live_server.url, "contributor")
    held: list[Route] = []
    page.route("**/js/editor.js", lambda route: held.append(route))
    page.goto(f"{live_server.url}/projects/{cast.project.pk}/files/edit/?path=notes.txt", wait_until="commit")
    plain = page.get_by_label("Content")
    plain.focus()
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.type("tw")
    for route in held:
        route.continue_()
    text = editor(page, "Content")
    expect(text).to_be_focused()
    page.keyboard.type("o")
    page.keyboard.press("Enter")
    expect(text).to_contain_text("onetwothree")
    page.get_by_role("button", name="Commit").click()
    expect(page.get_by_text("notes.txt is committed as")).to_be_visible()
    head = source.check_commit(cast.project, None)
    assert source.read_file(cast.project, head, "notes.txt").text == "one\ntwo\nthree\n"


def test_without_script_a_plain_field_is_edited(live_server: LiveServer, cast: Cast, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    try:
        sign_in(page, live_server.url, "contributor")
        page.goto(f"{live_server.url}/projects/{cast.project.pk}/files/edit/?path=README.md")
        page.get_by_label("Content").fill("# Plain\n")
        page.get_by_role("button", name="Commit").click()
        expect(page.get_by_text("README.md is committed as")).to_be_visible()
    finally:
        context.close()

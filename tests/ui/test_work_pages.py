"""Pages of sessions, files and imports with work in them: by the keyboard, for a screen reader, wide and narrow."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.actors import Actor
from projects import source
from projects.importing import transitions
from projects.models import Project, SourceImport
from projects.services import commit
from sessions.models import Session
from tests.matrix.world import World, build
from tests.ui.browser import TIMEOUT_MS, WIDE, check_page, sign_in
from tests.ui.keyboard import keyboard_faults

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(900)]
NARROW = {"width": 400, "height": 800}
DEEP = "reports/of-the-year/a-folder-with-a-long-name/a_file_whose_name_is_longer_than_any_telephone_is_wide.csv"
LONG = "https://git.example.org/" + "/".join(["a-team-with-a-long-name"] * 4) + "/repository.git"
NOTEBOOK = {
    "nbformat": 4,
    "metadata": {"language_info": {"name": "python"}},
    "cells": [
        {"cell_type": "markdown", "source": "# Plots\n\nA [link](https://example.org) and `code`."},
        {
            "cell_type": "code",
            "source": f"print({'x' * 200!r})",
            "execution_count": 3,
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": "x" * 400},
                {
                    "output_type": "execute_result",
                    "data": {"text/html": "<table><tr><th>a</th></tr><tr><td>1</td></tr></table>"},
                },
                {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["Traceback: no"]},
            ],
        },
    ],
}


@pytest.fixture
def world(db: None) -> World:
    """The matrix's, with files that are long in every way and imports in each state."""
    made = build()
    contributor = Actor.person(made.people["contributor"])
    project = Project.objects.get(pk=made.values["project_id"])
    changes: dict[str, bytes | None] = {
        DEEP: b"a,b,c\n" * 400,
        "plots.ipynb": json.dumps(NOTEBOOK).encode(),
        "wide.txt": (b"word " * 200 + b"\n") * 3,
        "blob.bin": bytes(range(256)),
    }
    made.values["sha"] = commit(
        project, changes, message="Many files", expected_head=source.head(project), acting_user=contributor
    )
    Session.objects.filter(pk=made.values["session_id"]).update(
        left_out=[DEEP, "data/large.parquet"], packages=["six==1.17.0", "a-package-with-quite-a-long-name==2026.1.1"]
    )
    under_way = SourceImport.objects.get(pk=made.values["import_id"])
    assert transitions.begin(under_way)
    transitions.go_on(under_way, "Receiving objects: 42% (21/50), 3.10 MiB")
    made.values["beside_id"] = under_way.project_id
    failed = SourceImport.objects.filter(project=project).latest("id")
    SourceImport.objects.filter(pk=failed.pk).update(address=LONG, state="failed", problem=f"No: `{LONG}`. " * 3)
    return made


def addresses(world: World) -> list[str]:
    """The pages, as a contributor uses them."""
    project = f"/projects/{world.values['project_id']}/"
    live, ended = (f"/sessions/{world.values[name]}/" for name in ("session_id", "ended_session_id"))
    files = [DEEP.rpartition("/")[0], DEEP, "plots.ipynb", "wide.txt", "blob.bin"]
    return [
        f"{project}sessions/",
        f"{project}sessions/new/",
        live,
        f"{live}stop/",
        ended,
        f"{ended}delete/",
        f"{project}files/",
        *(f"{project}files/?path={quote(path)}" for path in files),
        f"{project}files/?commit=start",
        f"{project}files/edit/",
        f"{project}files/edit/?path=wide.txt",
        f"{project}files/delete/?path=wide.txt",
        f"{project}files/rename/?path={quote(DEEP)}",
        f"{project}files/restore/?commit=start",
        f"{project}files/upload/",
        f"{project}history/",
        f"{project}history/?path=wide.txt",
        f"{project}commits/{world.values['sha']}/",
        f"{project}compare/?base=start",
        f"{project}import/",
        f"/projects/{world.values['beside_id']}/import/",
        f"/imports/{world.values['import_id']}/cancel/",
    ]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_each_page_is_used_by_keyboard_and_read_aloud(
    page: Page, live_server: LiveServer, world: World, size: dict[str, int]
) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    sign_in(page, live_server.url, "contributor")
    wrong: list[str] = []
    for address in addresses(world):
        answer = page.goto(live_server.url + address)
        assert answer is not None
        assert answer.status == 200, address
        try:
            check_page(page)
        except AssertionError as error:
            wrong.append(f"{address}: {error}")
        page.__dict__["watched"].errors.clear()
        page.__dict__["watched"].failed.clear()
        wrong += [f"{address}: {fault}" for fault in keyboard_faults(page)]
    assert not wrong, "\n".join(wrong)


def test_who_has_come_to_a_button_stays_there_while_the_page_reads_itself_again(
    page: Page, live_server: LiveServer, world: World
) -> None:
    sign_in(page, live_server.url, "contributor")
    page.goto(f"{live_server.url}/projects/{world.values['beside_id']}/import/")
    button = page.get_by_role("link", name="Cancel the import")
    button.focus()
    one = SourceImport.objects.get(pk=world.values["import_id"])
    transitions.go_on(one, "Resolving deltas: 7% (1/14)")
    expect(page.get_by_text("Resolving deltas: 7%")).to_be_visible(timeout=TIMEOUT_MS)
    expect(button).to_be_focused()

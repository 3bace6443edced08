"""Files larger than pages edit: they come in by Git and by an import, and go out whole; pages say what they show."""

from __future__ import annotations

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from django.http import StreamingHttpResponse
from django.test import Client, RequestFactory

from modelwright.accounts.models import User
from modelwright.core import outside
from modelwright.core.errors import ValidationFailed
from projects import source
from projects.files.answers import file_answer
from tests.projects.conftest import Cast
from tests.projects.git_server import GitServer, certificate, start
from tests.projects.importing import Upstream, imported, upstream

MIB = 1024**2
LARGE = 20 * MIB
LINE = b"0.25,17,a customer of the third kind,2026-01-01\n"


@pytest.fixture
def theirs(tmp_path: Path, settings: Any) -> Iterator[Upstream]:
    """A repository elsewhere with what those of data scientists have."""
    root = tmp_path / "elsewhere"
    root.mkdir()
    server = GitServer(root, certificate(tmp_path))
    settings.IMPORT_NETWORKS = outside._networks("127.0.0.0/8", "::1/128")
    settings.IMPORT_CA_FILE = str(server.certificate)
    serving = start(server)
    yield upstream(server, tmp_path)
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def noise() -> bytes:
    """What no packing makes smaller."""
    return os.urandom(LARGE)


def content(cast: Cast, commit: str, path: str) -> bytes:
    """All of a file."""
    with source.FileStream(cast.project, source.read_file(cast.project, commit, path, 0).digest) as stream:
        return stream.read()


def whole(answer: Any) -> bytes:
    """All that is sent."""
    return b"".join(answer.streaming_content)


def page(cast: Cast, rest: str, **query: str) -> str:
    return f"/projects/{cast.project.pk}/{rest}?{urlencode(query)}"


def test_a_repository_with_large_files_is_imported_with_its_history(
    cast: Cast,
    theirs: Upstream,
    noise: bytes,
    browser_client: Callable[[User], Client],
    api: Callable[[User], Client],
) -> None:
    first = theirs.commit({"train.py": b"print(1)\n", "data/model.bin": noise})
    table = LINE * (LARGE // len(LINE))
    notebook = b'{"cells": [], "nbformat": 4, "metadata": {"x": "' + b"x" * (6 * MIB) + b'"}}'
    theirs.commit({"data/model.bin": None, "data/rows.csv": table, "plots.ipynb": notebook})
    one = imported(cast, theirs.server.address())
    assert (one.state, one.problem) == ("succeeded", "")
    # What was taken out again is in the history all the same.
    assert content(cast, first, "data/model.bin") == noise
    assert content(cast, one.commit, "data/rows.csv") == table
    person = browser_client(cast.contributor)
    shown = person.get(page(cast, "files/", path="data/rows.csv")).content.decode()
    assert "Only the beginning of the file is shown" in shown
    downloaded = person.get(page(cast, "files/download/", path="data/rows.csv"))
    assert downloaded.headers["Content-Length"] == str(len(table))
    assert whole(downloaded) == table
    edited = person.get(page(cast, "files/edit/", path="data/rows.csv"))
    assert edited.status_code == 422
    assert "a page edits files of 5 MiB at most" in edited.content.decode()
    noted = person.get(page(cast, "files/", path="plots.ipynb")).content.decode()
    assert "pages show notebooks of 5 MiB at most" in noted
    asked = api(cast.contributor).get(f"/api/v1/projects/{cast.project.pk}/files/?path=data/rows.csv")
    assert (asked.status_code, "Clone the project with Git" in asked.json()["remedy"]) == (422, True)
    # Compared as a whole, and not line by line.
    changed = {one.path: one.added for one in source.diff(cast.project, one.imported).files}
    assert changed == {"data/model.bin": None, "data/rows.csv": None, "plots.ipynb": None}
    packed = whole(person.get(page(cast, "files/archive/")))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("data/rows.csv") == table


def test_the_administrator_says_how_large_and_whoever_is_refused_reads_it(
    cast: Cast, theirs: Upstream, noise: bytes, settings: Any
) -> None:
    settings.GIT_FILE_BYTES = LARGE - 1
    theirs.commit({"data/model.bin": noise})
    theirs.commit({"data/model.bin": None, "train.py": b"print(1)\n"})
    before = source.head(cast.project)
    one = imported(cast, theirs.server.address())
    assert one.state == "failed"
    assert "data/model.bin has 20,971,520 bytes, in the newest commit or an earlier one" in one.problem
    assert "at most 19 MiB" in one.problem
    assert "MODELWRIGHT_GIT_FILE_MIB" in one.problem
    assert source.head(cast.project) == before
    settings.GIT_FILE_BYTES = LARGE
    assert imported(cast, theirs.server.address()).state == "succeeded"


def test_pages_write_small_files_whatever_the_administrator_says(cast: Cast) -> None:
    with pytest.raises(ValidationFailed) as refused:
        source.commit_files(
            cast.project,
            {"large": b"x" * (source.MAX_FILE_BYTES + 1)},
            message="m",
            author=source.Author("Ann", "ann@example.org"),
            expected_head=source.head(cast.project),
        )
    assert "Push it with Git, where a file may have 100 MiB" in refused.value.remedy


def test_a_large_file_is_sent_in_pieces_by_an_asynchronous_server_too(cast: Cast, theirs: Upstream) -> None:
    table = LINE * (LARGE // len(LINE))
    theirs.commit({"rows.csv": table})
    one = imported(cast, theirs.server.address())
    request = RequestFactory().get("/")
    request.scope = {}  # type: ignore[attr-defined]  # as Django's requests under ASGI have it
    answer = file_answer(request, cast.project, source.read_file(cast.project, one.commit, "rows.csv"))
    assert isinstance(answer, StreamingHttpResponse)

    async def gather() -> list[bytes]:
        blocks = answer.streaming_content
        assert isinstance(blocks, AsyncIterator)
        return [bytes(block) async for block in blocks]

    pieces = asyncio.run(gather())
    assert max(map(len, pieces)) < MIB
    assert b"".join(pieces) == table


def test_whoever_stops_reading_leaves_no_git_behind(cast: Cast, theirs: Upstream, noise: bytes) -> None:
    theirs.commit({"model.bin": noise})
    one = imported(cast, theirs.server.address())
    digest = source.read_file(cast.project, one.commit, "model.bin", 0).digest

    def readers() -> list[list[str]]:
        return [line for child in psutil.Process().children() if digest in (line := child.cmdline())]

    with source.FileStream(cast.project, digest) as stream:
        assert len(stream.read(1000)) == 1000
        assert len(readers()) == 1
    assert readers() == []

"""The routing table that the watcher writes and the proxy reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessions import table
from sessions.table import Entry, EntryState, TableError

ENTRY = Entry(
    key="k3y",
    kind="session",
    subject="0199",
    title="churn session 1",
    target="/sockets/x/s",
    state=EntryState.RUNNING,
    users=frozenset({"b", "a"}),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = table.table_path(tmp_path)
    assert table.write(path, [ENTRY])
    assert table.read(path) == {"k3y": ENTRY}


def test_a_table_that_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    path = table.table_path(tmp_path)
    table.write(path, [ENTRY])
    before = path.stat().st_ino
    assert not table.write(path, [ENTRY])
    assert path.stat().st_ino == before
    assert table.write(path, [])
    assert table.read(path) == {}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"entries": {"k": {}}}', b'{"entries": {"k": 3}}'])
def test_what_is_no_table_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(content)
    with pytest.raises(TableError):
        table.read(path)

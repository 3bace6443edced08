"""The proxy's routing table: which key leads where, and who may enter. Written whole by the watcher, read by the proxy.

Knows no Django: the proxy imports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from modelwright.core.whole_file import hold

FOLDER = "sessions"
NAME = "table.json"


class TableError(ValueError):
    """The file holds no table; it says why."""


class EntryState(StrEnum):
    """What stands behind a key."""

    # Its process is being prepared, and `target` may be empty.
    STARTING = "starting"
    # Whoever connects to `target` is answered.
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of the table. What has ended is not in it.

    `target` is the path of a Unix socket on this host, or `bridge://host:port/<workload key>`; empty while nothing has
    been placed. It names the placement, so another target means another process. `token` opens that bridge for this
    workload and for no other; a socket of this host needs none. `users` are the ids of the people who
    may enter now. `is_public` lets in everybody, without a person; only an application can have it. `subject` is the id
    of the session or application, `title` what people call it.
    """

    key: str
    kind: str
    subject: str
    title: str
    target: str
    state: EntryState
    users: frozenset[str]
    is_public: bool = False
    token: str = field(default="", repr=False)


def table_path(data_dir: Path) -> Path:
    """Where the table lies below the data directory."""
    return data_dir / FOLDER / NAME


def read(path: Path) -> dict[str, Entry]:
    """The entries by key. Raises OSError where the file is missing, TableError where it holds no table."""
    try:
        content = orjson.loads(path.read_bytes())
        return {key: _entry(key, value) for key, value in content["entries"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TableError(f"{path} is no table of sessions: {error}") from error


def write(path: Path, entries: Iterable[Entry]) -> bool:
    """Make the file hold exactly these entries, at once; False where it does already. Raises OSError."""
    rows = {entry.key: _row(entry) for entry in sorted(entries, key=lambda one: one.key)}
    return hold(path, orjson.dumps({"entries": rows}))


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "subject": entry.subject,
        "title": entry.title,
        "target": entry.target,
        "state": entry.state.value,
        "users": sorted(entry.users),
        "is_public": entry.is_public,
        "token": entry.token,
    }


def _entry(key: str, row: Mapping[str, Any]) -> Entry:
    return Entry(
        key=key,
        kind=str(row["kind"]),
        subject=str(row["subject"]),
        title=str(row["title"]),
        target=str(row["target"]),
        state=EntryState(row["state"]),
        users=frozenset(map(str, row["users"])),
        is_public=row["is_public"] is True,
        token=str(row.get("token", "")),
    )

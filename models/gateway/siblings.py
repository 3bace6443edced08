"""What the processes of one gateway know of each other: each keeps one file in a folder, replaced whole.

A process that hangs still has its file and so its old table, by which it would answer; the file of one that has ended
is taken away by the supervisor, which keeps what it had counted.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

import orjson

from models.gateway.exposition import counters_only, merge

logger = logging.getLogger(__name__)

PUBLISH_SECONDS = 1.0
_ENDED = "ended.prom"


class State(NamedTuple):
    """One process: the revision it answers by, and its metrics as of a second ago at most."""

    revision: int
    metrics: bytes


class Siblings:
    """The processes beside this one; without a folder there are none."""

    def __init__(self, directory: Path | None = None, slot: int = 0) -> None:
        self._directory = directory
        self._slot = slot

    def publish(self, revision: int, metrics: bytes) -> None:
        """Tell the others. A folder that cannot be written is logged: they go on by what they know. Without a folder
        there is nobody to tell: it goes with the supervisor."""
        if self._directory is None or not self._directory.is_dir():
            return
        path = _path(self._directory, self._slot)
        try:
            _replace(path, orjson.dumps({"revision": revision, "metrics": metrics.decode()}))
        except OSError as error:
            logger.error("cannot tell the other processes of this gateway how it stands: %s", error)

    def lowest_revision(self, own: int) -> int:
        """The lowest revision by which any process answers."""
        return min([own, *(state.revision for state in self._others())])

    def count(self) -> int:
        """How many processes there are, with this one."""
        return 1 + len(self._others())

    def all_metrics(self, own: bytes) -> bytes:
        """The sums over all processes, those that have ended included."""
        if self._directory is None:
            return own
        return merge([own, *(state.metrics for state in self._others()), _read(self._directory / _ENDED)])

    def _others(self) -> list[State]:
        if self._directory is None:
            return []
        own = _path(self._directory, self._slot)
        states = (_state(path) for path in self._directory.glob("*.json") if path != own)
        return [state for state in states if state is not None]


def bury(directory: Path, slot: int) -> None:
    """The process of that slot has ended: it is no sibling any more, but what it counted stays counted."""
    path = _path(directory, slot)
    state = _state(path)
    if state is None:
        return
    ended = directory / _ENDED
    _replace(ended, merge([_read(ended), counters_only(state.metrics)]))
    path.unlink(missing_ok=True)


def _path(directory: Path, slot: int) -> Path:
    return directory / f"{slot}.json"


def _state(path: Path) -> State | None:
    content = _read(path)
    if not content:
        return None
    found = orjson.loads(content)
    return State(found["revision"], found["metrics"].encode())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)

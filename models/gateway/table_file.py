"""The file that holds the route table. Whoever writes it holds its lock, so that no writer undoes another's change."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from modelwright.core import whole_file


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the table at `path`; waits for other writers. Readers need none: the file is replaced whole.

    Raises OSError where the lock's file beside it cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read(path: Path) -> dict[str, Any] | None:
    """What the file holds: `{"revision", "endpoints"}`; None where it is missing or no JSON object."""
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def replace(path: Path, table: dict[str, Any]) -> None:
    """Make the file hold the table. Raises OSError, and then it holds what it held."""
    whole_file.replace(path, orjson.dumps(table))

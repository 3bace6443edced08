"""Copies a container's output from the engine into the workload's log while it runs, each line once.

What is stored and the time of its last line are noted beside the log. Whoever goes on after a crash cuts the log back
to that note and asks the engine for what came since.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from modelwright.compute.backends.docker.engine import Api
from modelwright.compute.backends.shim import record
from modelwright.compute.backends.shim.log import BoundedLog

NOTE = "log.position"
_NOTE_SECONDS = 1.0


class LogCopy:
    """The log of one container."""

    def __init__(self, path: Path, *, limit: int) -> None:
        """Cuts the file back to what is known to be whole."""
        self._note = str(path.parent / NOTE)
        known = record.read_json(self._note) or {}
        self._noted = self._seen = str(known.get("last", ""))
        self._size = int(known.get("size", 0))
        self._limit = limit
        if path.exists():
            os.truncate(path, min(self._size, path.stat().st_size))
        self._log = BoundedLog(str(path), limit=max(0, limit - self._size))
        self._noted_at = time.monotonic()
        self._stream: Any = None
        self._broken_off = False

    def follow(self, api: Api, container: str) -> None:
        """Copies until the container has ended, or the connection; errors go through to the caller.

        Called again, it goes on where it was. Once broken off, it copies what is there and does not wait for more.
        """
        self._copy(api, container, follow=not self._broken_off)
        if self._broken_off:
            self._copy(api, container, follow=False)

    def break_off(self) -> None:
        """For another thread: the container has ended long ago, and the engine keeps whoever follows it waiting."""
        self._broken_off = True
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.close()

    def _copy(self, api: Api, container: str, *, follow: bool) -> None:
        stored = self._seen
        self._stream = _open(api, container, stored, follow=follow)
        for stamp, text in _frames(self._stream):
            if stored and stamp <= stored:
                continue
            self._log.write(text)
            self._seen = stamp
            if self._size + len(text) <= self._limit:
                # What lies beyond the limit is kept in memory only: another process has to read it again.
                self._size += len(text)
                self._noted = stamp
                self._take_note()

    def close(self) -> None:
        """Writes what was kept back."""
        self._log.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._note)

    def _take_note(self) -> None:
        now = time.monotonic()
        if now - self._noted_at >= _NOTE_SECONDS:
            self._noted_at = now
            with contextlib.suppress(OSError):
                record.write_json(self._note, {"last": self._noted, "size": self._size})


def _open(api: Api, container: str, stored: str, *, follow: bool) -> Any:
    """The engine's stream. Its `since` includes its moment, and knows whole seconds."""
    since = int(datetime.fromisoformat(stored).timestamp()) if stored else None
    return api.logs(container, stream=True, follow=follow, timestamps=True, since=since)


def _frames(stream: Any) -> Iterator[tuple[str, bytes]]:
    """(time, text) of each piece of output."""
    with contextlib.closing(stream):
        for frame in stream:
            stamp, _, text = frame.partition(b" ")
            yield stamp.decode(), text

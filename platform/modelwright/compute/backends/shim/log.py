"""The log of a workload: written as it comes, bounded in size, with its beginning and its end kept."""

from __future__ import annotations

import os

TAIL_BYTES = 64 * 1024


class BoundedLog:
    """Appends to a file until `limit` bytes are written; after that it keeps the last 64 KiB and adds them at the end.

    A disk that is full loses log lines, never the workload.
    """

    def __init__(self, path: str, *, limit: int) -> None:
        """Opens the file for appending, readable by its owner only."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._left = limit
        self._tail = b""
        self._dropped = 0

    def write(self, data: bytes) -> None:
        """Takes the next bytes of the workload's output."""
        now, later = data[: self._left], data[self._left :]
        self._left -= len(now)
        self._append(now)
        if later:
            self._dropped += len(later)
            self._tail = (self._tail + later)[-TAIL_BYTES:]

    def close(self) -> None:
        """Writes what was kept back, with a note on what is missing, and closes the file."""
        if self._dropped:
            missing = self._dropped - len(self._tail)
            note = f"\n[the log was cut here: {missing:,} bytes are missing, the last {len(self._tail):,} follow]\n"
            self._append(note.encode())
            self._append(self._tail)
        os.close(self._descriptor)

    def _append(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError:
                return

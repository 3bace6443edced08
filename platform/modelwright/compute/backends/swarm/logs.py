"""Copies the output of all tasks of a service into the workload's log while they run, each line once.

What is stored, and the time of the last line of each task, are noted beside the log. Whoever goes on after a crash cuts
the log back to that note and asks the swarm for what came since.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from docker.types import CancellableStream

from modelwright.compute.backends.docker.engine import Api
from modelwright.compute.backends.docker.logs import NOTE
from modelwright.compute.backends.docker.tender import ENGINE_ERRORS
from modelwright.compute.backends.shim import record
from modelwright.compute.backends.shim.log import BoundedLog

logger = logging.getLogger(__name__)
TASK = "com.docker.swarm.task.id="
NOTE_SECONDS = 1.0
RETRY_SECONDS = 0.5


class ServiceLog(threading.Thread):
    """Follows one service. `endings` holds what the first process of each task said of its end, by the task's id.

    `heard_at` is when the last line came.
    """

    def __init__(self, api: Api, service: str, path: Path, *, limit: int, mark: str) -> None:
        """Cuts the file back to what is known to be whole. `mark` begins the line that tells an end."""
        super().__init__(name=f"log of {path.parent.name}", daemon=True)
        self.endings: dict[str, dict[str, Any]] = {}
        self.heard_at = time.monotonic()
        self._api, self._service, self._mark = api, service, mark.encode()
        self._note = str(path.parent / NOTE)
        known = record.read_json(self._note) or {}
        self._stamps: dict[str, str] = dict(known.get("stamps", {}))
        self._noted = dict(self._stamps)
        self._size, self._limit = int(known.get("size", 0)), limit
        if path.exists():
            os.truncate(path, min(self._size, path.stat().st_size))
        self._log = BoundedLog(str(path), limit=max(0, limit - self._size))
        self._noted_at = time.monotonic()
        self._closed = threading.Event()
        self._stream: Any = None

    def run(self) -> None:
        """Until closed; it goes through short absences of the manager by itself."""
        while not self._closed.is_set():
            try:
                self._follow()
            except (*ENGINE_ERRORS, ValueError, AttributeError) as error:
                # The last two: the connection was closed under the one that reads it.
                if not self._closed.is_set():
                    logger.info("log of %s: %s", self._service, error)
            self._closed.wait(RETRY_SECONDS)

    def leave(self) -> None:
        """Leaves the log to another process."""
        self._closed.set()
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.close()
        if self.is_alive():
            self.join(5)

    def finish(self) -> None:
        """Nothing more comes: writes what was kept back."""
        self.leave()
        self._log.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._note)

    def _follow(self) -> None:
        for task, stamp, text in self._lines():
            self.heard_at = time.monotonic()
            before, found, ending = text.partition(self._mark)
            if found:
                with contextlib.suppress(ValueError):
                    value = json.loads(ending)
                    self.endings[task] = value if isinstance(value, dict) else {}
            if stamp > self._stamps.get(task, ""):
                self._stamps[task] = stamp
                self._write(before)

    def _write(self, text: bytes) -> None:
        self._log.write(text)
        if self._size + len(text) <= self._limit:
            # What lies beyond the limit is kept in memory only: another process has to read it again.
            self._size += len(text)
            self._noted = dict(self._stamps)
            if time.monotonic() - self._noted_at >= NOTE_SECONDS:
                self._noted_at = time.monotonic()
                with contextlib.suppress(OSError):
                    record.write_json(self._note, {"stamps": self._noted, "size": self._size})

    def _lines(self) -> Iterator[tuple[str, str, bytes]]:
        """(task, time, text). `since` includes its moment, and knows whole seconds."""
        first = min(self._stamps.values(), default="")
        since = int(datetime.fromisoformat(first).timestamp()) if first else 0
        url = self._api._url("/services/{0}/logs", self._service)
        asked = {"follow": 1, "stdout": 1, "stderr": 1, "timestamps": 1, "details": 1, "since": since, "tail": "all"}
        answer = self._api._get(url, params=asked, stream=True)
        self._api._raise_for_status(answer)
        frames = self._api._multiplexed_response_stream_helper(answer)
        self._stream = CancellableStream(frames, answer)
        with contextlib.closing(self._stream):
            for frame in self._stream:
                stamp, _, rest = frame.partition(b" ")
                details, _, text = rest.partition(b" ")
                task = details.decode(errors="replace").partition(TASK)[2].partition(",")[0]
                yield task, stamp.decode(errors="replace"), text

"""The one process of many that looks after what an engine runs: whoever holds the lock of the root folder.

The others wait for the lock. It may stop at any point, and another process goes on.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path

from modelwright.compute.backends.base import BackendError
from modelwright.compute.backends.docker.engine import Api, connect
from modelwright.compute.backends.docker.tender import ENGINE_ERRORS
from modelwright.compute.backends.shim import record

logger = logging.getLogger(__name__)
LOCK = ".minder"
IDLE_SECONDS = 1.0
# Who comes to look so late was stopped itself meanwhile: what an engine did then, nobody knows.
STALLED_SECONDS = 10.0


class Minding(threading.Thread, ABC):
    """Does nothing until it has the lock; then looks again and again until closed."""

    def __init__(self, name: str, *, root: Path, engine: str, busy_seconds: float) -> None:
        """Connects by itself, so that an engine that is away keeps nobody waiting.

        `busy_seconds` is the pause between two looks while there is something to look after.
        """
        super().__init__(name=name, daemon=True)
        self._root = root
        self._engine = engine
        self._busy_seconds = busy_seconds
        self._api: Api = None
        self._wake = threading.Event()
        self._closed = False
        # When the first of the questions was over to which there has been no answer since, and the last one.
        self._failing_since: float | None = None
        self._looked_at = time.monotonic()

    def hurry(self) -> None:
        """Something has changed: looks at once."""
        self._wake.set()

    def close(self) -> None:
        """Gives the lock back as soon as the present look is over, and waits for that."""
        self._closed = True
        self._wake.set()
        self.join(30)

    def run(self) -> None:
        """Until closed."""
        descriptor = os.open(self._root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not self._closed:
                mine = record.take_lock(descriptor)
                self._failing_since = self._failing_since if mine else None
                busy = mine and self._look_safely()
                self._wake.wait(self._busy_seconds if busy else IDLE_SECONDS)
                self._wake.clear()
        finally:
            self.leave()
            os.close(descriptor)

    @abstractmethod
    def look(self) -> bool:
        """One comparison of records and what the engine runs. Whether there is anything to look after."""

    @abstractmethod
    def note_absence(self, seconds: float) -> None:
        """The engine has not answered for so long, though it was asked all the while."""

    @abstractmethod
    def leave(self) -> None:
        """Somebody else goes on from here."""

    def _look_safely(self) -> bool:
        if time.monotonic() - self._looked_at > STALLED_SECONDS:
            self._failing_since = None
        try:
            self._api = self._api or connect(self._engine)
            busy = self.look()
            self._failing_since = None
            return busy
        except (BackendError, *ENGINE_ERRORS) as error:
            logger.warning("%s: the engine does not answer: %s", self.name, error)
            now = time.monotonic()
            self._failing_since = now if self._failing_since is None else self._failing_since
            self.note_absence(now - self._failing_since)
        except Exception:
            logger.exception("%s: looking after what runs", self.name)
        finally:
            self._looked_at = time.monotonic()
        return True

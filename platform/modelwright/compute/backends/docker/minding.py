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
        self._answered_at = time.monotonic()

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
                self._answered_at = self._answered_at if mine else time.monotonic()
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
        """The engine has not answered for so long."""

    @abstractmethod
    def leave(self) -> None:
        """Somebody else goes on from here."""

    def _look_safely(self) -> bool:
        try:
            self._api = self._api or connect(self._engine)
            busy = self.look()
            self._answered_at = time.monotonic()
            return busy
        except (BackendError, *ENGINE_ERRORS) as error:
            logger.warning("%s: the engine does not answer: %s", self.name, error)
            self.note_absence(time.monotonic() - self._answered_at)
        except Exception:
            logger.exception("%s: looking after what runs", self.name)
        return True

"""Asks what may hang for ever, a disk of the network or a driver, without hanging with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Asker:
    """Has a thread `ask`, at most each `fresh_seconds`, and begins no second one while that hangs.

    `ask` raises nothing, and leaves what it finds where its caller looks.
    """

    def __init__(
        self,
        ask: Callable[[], None],
        *,
        name: str,
        fresh_seconds: float,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._name, self._clock = ask, name, clock
        self._fresh_seconds, self._patience_seconds = fresh_seconds, patience_seconds
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked_at = float("-inf")

    def unanswered_seconds(self) -> float | None:
        """Ask where that is due and wait `patience_seconds` for the answer; for how long there has been none, None
        where it has come."""
        with self._lock:
            if not self._is_asking() and self._clock() - self._asked_at >= self._fresh_seconds:
                self._asked_at = self._clock()
                self._asking = threading.Thread(target=self._ask, name=self._name, daemon=True)
                self._asking.start()
            asking = self._asking
        if asking is not None:
            asking.join(self._patience_seconds)
        return self._clock() - self._asked_at if self._is_asking() else None

    def _is_asking(self) -> bool:
        return self._asking is not None and self._asking.is_alive()

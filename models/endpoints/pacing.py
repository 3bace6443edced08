"""How often the reconciler has a round: four times a second while there is something to do, else once a second.

A round asks the database two dozen times, and mostly finds all as it was. Whatever a person or another part of the
platform does is on record, so a growing audit log says at once that there may be something to do; and what the last
round left under way is looked after by the next ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from modelwright.audit import selectors

QUICK_SECONDS = 0.25
SLOW_SECONDS = 1.0
# What was done may take effect step by step.
QUICK_FOR_SECONDS = 5.0


class Paced:
    """A tick to be called every `QUICK_SECONDS`, around `work`, which answers whether it left something under way."""

    def __init__(self, work: Callable[[], bool]) -> None:
        """Nothing is known yet, so the first calls all work."""
        self._work = work
        self._newest: UUID | None = None
        self._quick_until = float("-inf")
        self._next_at = float("-inf")

    def tick(self) -> bool:
        """Work where it is due; whether it was."""
        now = time.monotonic()
        newest = selectors.newest_id()
        if newest != self._newest:
            self._newest = newest
            self._quick_until = now + QUICK_FOR_SECONDS
        if now >= self._quick_until and now < self._next_at:
            return False
        # Should it raise, the next call works again.
        self._next_at = float("-inf")
        if not self._work():
            self._next_at = now + SLOW_SECONDS
        return True

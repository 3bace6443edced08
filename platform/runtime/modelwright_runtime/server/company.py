"""Decides whether a batch is predicted now or waits a moment for the frames of other gateways.

Several gateways send to one replica, and each sends its next frame when its last one was answered. What a call of the
model costs hardly depends on its rows, so two frames that come a moment after each other should share one: else each
gateway's clients wait for two calls instead of one. So whoever was answered together is waited for together, for a part
of what a call takes; a model that answers faster than that pays is never kept waiting. Where waiting was in vain, it is
tried more and more rarely.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

PART_OF_SERVICE_TIME = 0.4
LONGEST_SECONDS = 0.005
SHORTEST_SECONDS = 0.0005
MOST_SKIPPED = 64


class Company:
    """State of one replica's decision. Times are seconds of one monotonic clock; an origin is one connection."""

    def __init__(self) -> None:
        self._service_seconds = 0.0
        self._expected: AbstractSet[int] = frozenset()
        self._until = 0.0
        self._skip = 0
        self._penalty = 1

    def answered(
        self, now: float, *, service_seconds: float, origins: AbstractSet[int], waiting: AbstractSet[int]
    ) -> None:
        """A batch of frames of `origins` was answered after `service_seconds`, while those of `waiting` came."""
        self._service_seconds += (service_seconds - self._service_seconds) * 0.2
        self._expected = origins | waiting
        wait = min(self._service_seconds * PART_OF_SERVICE_TIME, LONGEST_SECONDS)
        if self._skip > 0:
            self._skip -= 1
            wait = 0.0
        self._until = now + wait if wait >= SHORTEST_SECONDS and len(self._expected) > 1 else 0.0

    def wait_seconds(self, now: float, waiting: AbstractSet[int]) -> float:
        """How long frames of the origins that wait should still be held; 0 predicts them now."""
        if not self._until:
            return 0.0
        if waiting >= self._expected:
            self._until = 0.0
            self._penalty = 1
            return 0.0
        left = self._until - now
        if left > 0:
            return left
        self._until = 0.0
        self._skip = self._penalty
        self._penalty = min(self._penalty * 2, MOST_SKIPPED)
        return 0.0

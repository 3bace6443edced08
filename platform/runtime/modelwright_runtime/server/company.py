"""Decides whether a batch is predicted now or waits a moment for the frames of other gateways.

Several gateways send to one replica, and each sends its next frame when its last one was answered. What a call of the
model costs hardly depends on its rows, so two frames that come a moment after each other should share one: else each
gateway's clients wait for two calls instead of one. So whoever was answered together is waited for together, for a part
of what a call takes; a model that answers faster than that pays is never kept waiting. Where waiting was in vain, it is
tried more and more rarely.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from .patience import Patience

PART_OF_SERVICE_TIME = 0.4
LONGEST_SECONDS = 0.005
SHORTEST_SECONDS = 0.0005


class Company:
    """State of one replica's decision. Times are seconds of one monotonic clock; an origin is one connection."""

    def __init__(self) -> None:
        self._patience = Patience(part=PART_OF_SERVICE_TIME, longest=LONGEST_SECONDS, shortest=SHORTEST_SECONDS)
        self._expected: AbstractSet[int] = frozenset()

    def answered(
        self, now: float, *, service_seconds: float, origins: AbstractSet[int], waiting: AbstractSet[int]
    ) -> None:
        """A batch of frames of `origins` was answered after `service_seconds`, while those of `waiting` came."""
        self._expected = origins | waiting
        self._patience.called(now, service_seconds=service_seconds, pays=len(self._expected) > 1)

    def wait_seconds(self, now: float, waiting: AbstractSet[int]) -> float:
        """How long frames of the origins that wait should still be held; 0 predicts them now."""
        return self._patience.wait_seconds(now, is_met=waiting >= self._expected, in_vain=True)

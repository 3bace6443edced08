"""Decides whether a frame leaves now or waits a moment for company.

Clients that were just answered mostly ask again at once. A frame that leaves the instant its predecessor comes back
misses them, and two half-full frames cost a model nearly twice as much as one full one. So, under load only, a queue
waits until as many rows wait as were under way when the last frame came back, and never longer than a part of what a
prediction takes. Where waiting does not pay, because clients do not come back, it is tried more and more rarely.
"""

from __future__ import annotations

PART_OF_SERVICE_TIME = 0.6
LONGEST_SECONDS = 0.010
SHORTEST_SECONDS = 0.001
MOST_SKIPPED = 64


class Gathering:
    """State of one queue's decision. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._service_seconds = 0.0
        self._expected_rows = 1
        self._until: float | None = None
        self._skip = 0
        self._penalty = 1

    def returned(self, now: float, *, service_seconds: float, rows_under_way: int, replicas: int) -> None:
        """A frame came back after `service_seconds`; `rows_under_way` counts it, other frames and what waits."""
        self._service_seconds += (service_seconds - self._service_seconds) * 0.2
        self._expected_rows = -(-rows_under_way // max(replicas, 1))
        wait = min(self._service_seconds * PART_OF_SERVICE_TIME, LONGEST_SECONDS)
        if self._skip > 0:
            self._skip -= 1
            self._until = None
        else:
            self._until = now + wait if wait >= SHORTEST_SECONDS and self._expected_rows > 1 else None

    def wait_seconds(self, now: float, rows_waiting: int) -> float:
        """How long a frame with the rows that wait should still be held; 0 sends it now."""
        if self._until is None:
            return 0.0
        if rows_waiting >= self._expected_rows:
            self._until = None
            self._penalty = 1
            return 0.0
        left = self._until - now
        if left > 0:
            return left
        self._until = None
        if rows_waiting * 2 < self._expected_rows:
            self._skip = self._penalty
            self._penalty = min(self._penalty * 2, MOST_SKIPPED)
        return 0.0

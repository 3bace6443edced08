"""Decides whether a frame leaves now or waits a moment for company.

Clients that were just answered mostly ask again at once. A frame that leaves the instant its predecessor comes back
misses them, and two half-full frames cost a model nearly twice as much as one full one. So, under load only, a queue
waits until as many rows wait as were under way when the last frame came back, and never longer than a part of what a
prediction takes. Where waiting does not pay, because clients do not come back, it is tried more and more rarely.

A model that answers faster than any timer is not waited for by the clock: its clients are answered first, and its next
frame leaves with the first turn of the loop that read nothing more, which adds no time while nobody sends.
"""

from __future__ import annotations

from modelwright_runtime.server.patience import Patience

PART_OF_SERVICE_TIME = 0.6
LONGEST_SECONDS = 0.010
SHORTEST_SECONDS = 0.001


class Gathering:
    """State of one queue's decision. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._patience = Patience(part=PART_OF_SERVICE_TIME, longest=LONGEST_SECONDS, shortest=SHORTEST_SECONDS)
        self._expected_rows = 1
        self._rows_seen = 0
        # Whether the model answers so fast that the gateway's own work is what takes the time.
        self.is_quick = False

    def returned(self, now: float, *, service_seconds: float, rows_under_way: int, replicas: int) -> None:
        """A frame came back after `service_seconds`; `rows_under_way` counts it, other frames and what waits."""
        self._expected_rows = -(-rows_under_way // max(replicas, 1))
        self.is_quick = service_seconds * PART_OF_SERVICE_TIME < SHORTEST_SECONDS
        self._rows_seen = 0
        self._patience.called(now, service_seconds=service_seconds, pays=self._expected_rows > 1)

    def wait_seconds(self, now: float, rows_waiting: int) -> float:
        """How long a frame with the rows that wait should still be held; 0 sends it now."""
        expected = self._expected_rows
        return self._patience.wait_seconds(now, is_met=rows_waiting >= expected, in_vain=rows_waiting * 2 < expected)

    def grows(self, rows_waiting: int) -> bool:
        """Whether the frame should stay for one more turn of the loop: more rows are expected, and the last turn
        brought some."""
        grows = self.is_quick and self._rows_seen < rows_waiting < self._expected_rows
        self._rows_seen = rows_waiting
        return grows

"""Latencies by fixed bounds, so that histograms of any minutes can be added; and percentiles from the sums."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

# Upper bounds in ms, each a fifth above the one before: 0.1 ms to about 74 s, and one counter for what took longer.
# They are part of every stored bucket, so they never change.
STEP = 1.2
BOUNDS_MS = tuple(round(0.1 * STEP**number, 4) for number in range(75))
COUNTERS = len(BOUNDS_MS) + 1


def empty() -> list[int]:
    """A histogram of nothing."""
    return [0] * COUNTERS


def place(latency_ms: float) -> int:
    """The counter of a latency."""
    return bisect_left(BOUNDS_MS, latency_ms)


def add(into: list[int], other: Sequence[int]) -> None:
    """Add one histogram to another in place."""
    for number, count in enumerate(other):
        into[number] += count


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The latency in ms that `share` (0 to 1) of the requests did not exceed, None of nothing.

    Between two bounds it is interpolated by ratio, so it is at most a fifth away from the exact one. What took longer
    than the last bound is said to have taken that.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, seen = share * total, 0
    for number, count in enumerate(counts):
        if count and seen + count >= wanted:
            if number >= len(BOUNDS_MS):
                break
            upper = BOUNDS_MS[number]
            return round(upper / STEP * math.pow(STEP, max(wanted - seen, 0.0) / count), 4)
        seen += count
    return BOUNDS_MS[-1]

"""Latencies by fixed bounds, so that histograms of any minutes can be added; and percentiles from the sums."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

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


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The latency in ms that `share` (0 to 1) of the requests did not exceed, None of nothing.

    Between two bounds it is interpolated by ratio, so it is at most a fifth away from the exact one. What took longer
    than the last bound is said to have taken that.
    """
    return percentiles(counts, (share,))[0]


def percentiles(counts: Sequence[int], shares: Sequence[float]) -> list[float | None]:
    """Several of them."""
    sums = list(accumulate(counts))
    total = sums[-1] if sums else 0
    return [_at(counts, sums, share * total) if total else None for share in shares]


def _at(counts: Sequence[int], sums: Sequence[int], wanted: float) -> float:
    # The first counter up to which there are so many, of those that hold something.
    number = bisect_left(sums, max(wanted, 1e-9))
    if number >= len(BOUNDS_MS):
        return BOUNDS_MS[-1]
    below = sums[number] - counts[number]
    return round(BOUNDS_MS[number] / STEP * math.pow(STEP, (wanted - below) / counts[number]), 4)

"""Decides whether a request may wait: by how long that would take, and by the room that is left in the gateway.

A queue may hold no more than is still free in the whole gateway. So one slow model gets half of it at most, two a third
each, and there is always room for the others.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from models.gateway.responses import Response, problem

SMOOTHING = 0.2
LONGEST_RETRY_SECONDS = 60


class Bounds(NamedTuple):
    """Of one gateway process. `wait` is the longest expected wait until a request is sent to a replica, in seconds."""

    wait: float = 5.0
    requests: int = 16_384
    body_bytes: int = 128 * 1024 * 1024


class Budget:
    """What all queues of a gateway hold together."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.requests = 0
        self.body_bytes = 0


class Holding:
    """What one queue holds of the budget: requests that wait or are with a replica."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.requests = 0
        self.body_bytes = 0

    def take(self, requests: int, body_bytes: int) -> None:
        """Account for what came in; negative numbers for what has left."""
        self.requests += requests
        self.body_bytes += body_bytes
        self._budget.requests += requests
        self._budget.body_bytes += body_bytes

    def lacks_room(self, body_bytes: int) -> str:
        """What is full when another request of that size comes, in words; empty when there is room."""
        budget, bounds = self._budget, self._budget.bounds
        if self.requests >= bounds.requests - budget.requests:
            return count_of(self.requests)
        if self.body_bytes + body_bytes > bounds.body_bytes - budget.body_bytes:
            return f"{count_of(self.requests)} with {self.body_bytes} bytes"
        return ""


class ServiceTimes:
    """How long frames take, from sending to the answer, by the power of two that their number of rows is below."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def observe(self, rows: int, seconds: float) -> None:
        """A frame of so many rows took that long."""
        size = rows.bit_length()
        before = self._seconds.get(size)
        self._seconds[size] = seconds if before is None else before + (seconds - before) * SMOOTHING

    def expected(self, rows: int) -> float:
        """For a frame of that many rows: what such frames took, else smaller ones, else larger ones; 0 when none was
        seen yet."""
        size = rows.bit_length()
        found = self._seconds.get(size)
        if found is not None or not self._seconds:
            return found or 0.0
        return self._seconds[max((known for known in self._seconds if known < size), default=min(self._seconds))]


def remaining(expected: float, age: float) -> float:
    """How much longer a frame takes that is `age` seconds old. One that is overdue is taken to be half way."""
    return expected - age if age < expected else age


def too_busy(name: str, waiting: str, wait: float) -> Response:
    """The refusal of a request that would wait `wait` seconds, or has no room beside the `waiting` ones."""
    return problem(
        429,
        f"{name} has {waiting} waiting already; another one would wait about {max(wait, 0.1):.1f} s.",
        title="Too many requests waiting",
        remedy="Try again after the seconds in Retry-After; give the endpoint more replicas if it goes on.",
        headers=((b"Retry-After", b"%d" % retry_seconds(wait)),),
    )


def count_of(requests: int) -> str:
    """`1 request`, `2 requests`."""
    return f"{requests} request{'' if requests == 1 else 's'}"


def retry_seconds(wait: float) -> int:
    """When half of what waits will be gone, in whole seconds."""
    return min(max(math.ceil(wait / 2), 1), LONGEST_RETRY_SECONDS)

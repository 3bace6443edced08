"""How many replicas an endpoint's load speaks for: plain numbers, no database, no clock of its own.

Concurrency is measured, not sampled: by Little's law the seconds that requests took, added up over an interval, divided
by that interval, are how many were under way on average. As in Kubernetes' autoscaler a tenth more or less is no
reason to change, and the number falls only to the highest that was recommended for some minutes.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

TOLERANCE = 0.1
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the gateway has counted of an endpoint since it began, and how many requests wait there now."""

    seconds: float = 0.0
    queue_seconds: float = 0.0
    frames: float = 0.0
    refused: float = 0.0
    waiting: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Between two looks: requests under way on average, milliseconds that the first of a frame waited (None without
    any), requests that were turned away for want of room."""

    concurrency: float
    queue_ms: float | None
    refused: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of an endpoint: its fewest and most replicas, and when another one is wanted."""

    fewest: int
    most: int
    concurrency: float
    queue_ms: float


@dataclass(frozen=True, slots=True)
class Advice:
    """How many replicas, and why, in words."""

    replicas: int
    reason: str


def measured(before: Told, now: Told, seconds: float) -> Measured | None:
    """What happened meanwhile. None where the gateway has begun to count anew, or no time has passed."""
    if seconds <= 0 or now.seconds < before.seconds or now.frames < before.frames or now.refused < before.refused:
        return None
    frames = now.frames - before.frames
    return Measured(
        # What hangs has taken no time yet that was counted; it is seen by what waits behind it.
        max((now.seconds - before.seconds) / seconds, now.waiting),
        1000 * (now.queue_seconds - before.queue_seconds) / frames if frames > 0 else None,
        int(now.refused - before.refused),
    )


def advice(load: Measured, current: int, bounds: Bounds, *, all_answer: bool) -> Advice:
    """What this load alone speaks for. While replicas are still starting a queue is no reason for yet another one."""
    exact = load.concurrency / bounds.concurrency
    wanted, reason = current, "The load is what so many replicas are meant for."
    if abs(exact - current) > TOLERANCE * current:
        wanted = math.ceil(exact)
        reason = (
            f"{load.concurrency:.1f} requests are under way on average; each replica is meant for "
            f"{bounds.concurrency:g}."
        )
    if wanted <= current and all_answer:
        if load.refused:
            wanted, reason = current + 1, f"{load.refused} requests were turned away for want of room."
        elif load.queue_ms is not None and load.queue_ms > bounds.queue_ms:
            wanted = current + 1
            reason = f"Requests waited {load.queue_ms:.0f} ms for a replica; {bounds.queue_ms:g} ms are meant."
    # A burst must not fill the hosts at one stroke.
    wanted = min(wanted, 2 * current)
    return Advice(max(min(wanted, bounds.most), bounds.fewest), reason)


class Patience:
    """Of one endpoint: the number rises at once, and falls to the highest advice of the last minutes."""

    def __init__(self, seconds: float = PATIENCE_SECONDS) -> None:
        self._seconds = seconds
        self._began: float | None = None
        self._given: deque[tuple[float, Advice]] = deque()

    def decide(self, now: float, given: Advice, current: int) -> Advice:
        """What to do at `now`, in seconds of any clock."""
        self._began = now if self._began is None else self._began
        self._given.append((now, given))
        while self._given[0][0] < now - self._seconds:
            self._given.popleft()
        if given.replicas >= current:
            return given
        if now - self._began < self._seconds:
            return Advice(current, "It is not known for long enough that fewer would do.")
        highest = max(self._given, key=lambda each: each[1].replicas)[1]
        return highest if highest.replicas < current else Advice(current, "More were needed a few minutes ago.")

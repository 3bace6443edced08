"""How long something that could leave now is held for company: for a part of what a call of the model takes.

Where waiting was in vain it is tried more and more rarely. What is waited for is decided by whoever holds one: a
gateway by rows (`models.gateway.gathering`), a replica by connections (`company`).
"""

from __future__ import annotations

MOST_SKIPPED = 64


class Patience:
    """State of one decision. Times are seconds of one monotonic clock.

    A wait takes `part` of a call, at most `longest`; none is begun that would be below `shortest`.
    """

    def __init__(self, *, part: float, longest: float, shortest: float) -> None:
        self._part = part
        self._longest = longest
        self._shortest = shortest
        self._service_seconds = 0.0
        self._until: float | None = None
        self._skip = 0
        self._penalty = 1

    def called(self, now: float, *, service_seconds: float, pays: bool) -> None:
        """A call ended after `service_seconds`; a wait begins now if it may and `pays`."""
        self._service_seconds += (service_seconds - self._service_seconds) * 0.2
        wait = min(self._service_seconds * self._part, self._longest)
        self._until = None
        if self._skip > 0:
            self._skip -= 1
        elif wait >= self._shortest and pays:
            self._until = now + wait

    def wait_seconds(self, now: float, *, is_met: bool, in_vain: bool) -> float:
        """How long to go on waiting, 0 to leave now: `is_met` says that all are there that were waited for, `in_vain`
        that so few are that it was not worth it, should the time be over."""
        if self._until is None:
            return 0.0
        if is_met:
            self._until = None
            self._penalty = 1
            return 0.0
        left = self._until - now
        if left > 0:
            return left
        self._until = None
        if in_vain:
            self._skip = self._penalty
            self._penalty = min(self._penalty * 2, MOST_SKIPPED)
        return 0.0

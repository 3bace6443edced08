"""Asks shadows what clients were already answered: their answers are on record and reach nobody.

A shadow must cost clients nothing but the replica's own share of the machine: it is asked after the answer has left,
and left out where many shadow requests wait already or the gateway has little room. What was left out is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from models.gateway.admission import Bounds, Budget, Holding
from models.gateway.fleet import Fleet
from models.gateway.pending import Failure, Pending, Prediction
from models.gateway.responses import Response
from models.gateway.routes import SHADOW, Target
from models.gateway.signature import Invalid

# Of all endpoints together; one may have no more of it than is still free, so that a slow shadow silences no other.
BOUNDS = Bounds(requests=256, body_bytes=16 * 1024 * 1024)
DOES_NOT_FIT = "does_not_fit"
ASKED, LEFT_OUT = "asked", "left_out"


class Shadowing:
    """`failed` takes requests that do not fit a shadow's signature; `count` gets each endpoint's name and outcome."""

    def __init__(
        self, fleet: Fleet, *, timeout: float, failed: Callable[[Failure], None], count: Callable[[str, str], None]
    ) -> None:
        self._fleet = fleet
        self._timeout = timeout
        self._failed = failed
        self._count = count
        self._budget = Budget(BOUNDS)
        self._holdings: dict[str, Holding] = {}

    def ask(self, pending: Pending, prediction_id: str) -> None:
        """Ask every shadow of the endpoint what the client was answered under that id."""
        for target in pending.endpoint.shadows:
            is_asked = self._ask(pending, target, prediction_id)
            self._count(pending.endpoint.name, ASKED if is_asked else LEFT_OUT)

    def _ask(self, pending: Pending, target: Target, prediction_id: str) -> bool:
        queue, now, size = self._fleet.queue(target), time.monotonic(), pending.size
        if queue is None or not queue.is_available() or queue.refusal(pending.endpoint.name, size, now):
            return False
        endpoint_id = pending.endpoint.endpoint_id
        holding = self._holdings.get(endpoint_id) or Holding(self._budget)
        if holding.lacks_room(size):
            return False
        shadow = Pending(
            pending.match,
            target,
            pending.key_id,
            pending.records,
            lambda _: self._done(endpoint_id, size),
            encode=_unread,
            at=time.time(),
            received=now,
            deadline=now + self._timeout,
            size=size,
            facts={"role": SHADOW, "shadow_of": prediction_id},
            is_shadow=True,
        )
        shadow.endpoint = pending.endpoint
        holding.take(1, size)
        self._holdings[endpoint_id] = holding
        try:
            shadow.columns, shadow.rows = target.signature.check(pending.records)
        except Invalid as invalid:
            told = "; ".join(f"{error['field']}: {error['message']}" for error in invalid.errors[:5])
            self._failed(Failure(shadow, Response(422, b""), DOES_NOT_FIT, told[:1000]))
        else:
            queue.submit(shadow)
        return True

    def _done(self, endpoint_id: str, size: int) -> None:
        holding = self._holdings[endpoint_id]
        holding.take(-1, -size)
        if not holding.requests:
            del self._holdings[endpoint_id]


def _unread(_result: Prediction, _prediction_id: str) -> Response:
    """Nobody reads what a shadow said, but the record."""
    return Response(200, b"")

"""One request on its way to a replica."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from models.gateway.responses import Response
from models.gateway.routes import Endpoint, Target
from models.gateway.signature import Row


class Pending:
    """A validated request. `answer` is called once, by `finish`; times are of `time.monotonic()`."""

    __slots__ = (
        "_answer",
        "at",
        "broken",
        "columns",
        "deadline",
        "done",
        "endpoint",
        "key_id",
        "received",
        "records",
        "rerouted",
        "rows",
        "size",
        "target",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        target: Target,
        key_id: str,
        records: list[Any],
        answer: Callable[[Response], None],
        *,
        at: float,
        received: float,
        deadline: float,
        size: int,
    ) -> None:
        self.endpoint = endpoint
        self.target = target
        self.key_id = key_id
        self.records = records
        self.columns: tuple[str, ...] = ()
        self.rows: list[Row] = []
        self.at = at
        self.received = received
        self.deadline = deadline
        self.size = size
        self.broken = 0
        self.rerouted = False
        self.done = False
        self._answer = answer

    def finish(self, response: Response) -> None:
        """Answer, unless it was answered before (a time-out and a late prediction may both try)."""
        if not self.done:
            self.done = True
            self._answer(response)


class Prediction(NamedTuple):
    """What a replica said about one request."""

    pending: Pending
    predictions: list[Any]
    probabilities: list[dict[str, float]] | None

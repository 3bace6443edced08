"""One request on its way to a replica."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from models.gateway.responses import Response
from models.gateway.routes import Endpoint, Match, Target
from models.gateway.signature import Row

if TYPE_CHECKING:
    from models.gateway.tracing import RequestTrace


class Pending:
    """A validated request. `answer` is called once, by `finish`; times are of `time.monotonic()`. `encode` makes the
    answer of a recorded prediction, `protocol` is the name of what the client speaks, `trace` its traceparent,
    `spans` what is told to a collector of traces. `facts` is what its record says besides (`role`, `assignment`,
    `shadow_of`, `fallback`, `nodes`, `error`), `unit` what it was assigned by."""

    __slots__ = (
        "_answer",
        "at",
        "broken",
        "columns",
        "deadline",
        "done",
        "encode",
        "endpoint",
        "facts",
        "is_shadow",
        "key_id",
        "match",
        "protocol",
        "received",
        "records",
        "rerouted",
        "rows",
        "size",
        "spans",
        "target",
        "trace",
        "unit",
    )

    def __init__(
        self,
        match: Match,
        target: Target,
        key_id: str,
        records: list[Any],
        answer: Callable[[Response], None],
        *,
        encode: Encode,
        at: float,
        received: float,
        deadline: float,
        size: int,
        trace: str | None = None,
        facts: dict[str, Any] | None = None,
        unit: str | None = None,
        is_shadow: bool = False,
    ) -> None:
        self.match = match
        self.endpoint: Endpoint = match.endpoint
        self.protocol = match.protocol
        self.encode = encode
        self.trace = trace
        self.target = target
        self.key_id = key_id
        self.records = records
        self.columns: tuple[str, ...] = ()
        self.rows: list[Row] = []
        self.at = at
        self.received = received
        self.deadline = deadline
        self.size = size
        self.facts = facts
        self.unit = unit
        self.is_shadow = is_shadow
        self.broken = 0
        self.rerouted = False
        self.done = False
        self.spans: RequestTrace | None = None
        self._answer = answer

    def finish(self, response: Response) -> None:
        """Answer, unless it was answered before (a time-out and a late prediction may both try)."""
        if not self.done:
            self.done = True
            self._answer(response)
            if self.spans is not None:
                self.spans.finished(response.status)

    def handed_over(self, target: Target, facts: dict[str, Any]) -> Pending:
        """The same request, for that target instead: it alone will be answered, and this one is done."""
        self.done = True
        other = Pending(
            self.match,
            target,
            self.key_id,
            self.records,
            self._answer,
            encode=self.encode,
            at=self.at,
            received=self.received,
            deadline=self.deadline,
            size=self.size,
            trace=self.trace,
            facts=facts,
            unit=self.unit,
        )
        other.endpoint = self.endpoint
        other.columns, other.rows = self.columns, self.rows
        other.spans, self.spans = self.spans, None
        return other


class Failure(NamedTuple):
    """A request that its model failed: the answer (502 or 504), and what is recorded of why."""

    pending: Pending
    response: Response
    code: str
    message: str


class Prediction(NamedTuple):
    """What a replica said about one request."""

    pending: Pending
    predictions: list[Any]
    probabilities: Sequence[Mapping[str, float | None]] | None


Encode = Callable[[Prediction, str], Response]

"""What every protocol promises."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, NamedTuple

from models.gateway.http import Request
from models.gateway.pending import Encode
from models.gateway.responses import Response
from models.gateway.routes import Match, Target


class BadBody(Exception):
    """The body holds no records; `response` says why, as a problem."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Asked(NamedTuple):
    """What a body asks for: records, one object per row, at least one, not yet checked against the signature; and how
    the answer is written, from a recorded prediction and its id."""

    records: list[Any]
    encode: Encode


class State(NamedTuple):
    """What pages of a protocol tell about the endpoint. `is_recording` is false while no prediction can be recorded."""

    is_recording: bool
    is_available: Callable[[Target], bool]

    def is_ready(self, match: Match) -> bool:
        """Whether a prediction asked for there may hope for an answer."""
        return self.is_recording and any(map(self.is_available, match.endpoint.named(match.model, match.version)))


class Protocol(typing.Protocol):
    """One way of asking for predictions. It knows neither keys nor replicas nor the spool."""

    name: str

    def decode(self, request: Request, match: Match, target: Target) -> Asked:
        """The records in the body, for `target`. Raises `BadBody`."""

    def read(self, match: Match, state: State) -> Response:
        """The answer to an operation that is no prediction."""

    def refusal(self, response: Response) -> Response:
        """The problem in the form that clients of this protocol read."""

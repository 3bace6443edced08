"""Protocols without a gateway: bodies in, records or refusals out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from models.gateway import answers
from models.gateway.http import Request
from models.gateway.http_messages import NO_HEADERS
from models.gateway.paths import PREDICT
from models.gateway.pending import Pending, Prediction
from models.gateway.protocols import BY_NAME
from models.gateway.protocols.base import Asked, BadBody
from models.gateway.responses import Response
from models.gateway.routes import Endpoint, Match, parse
from models.gateway.signature import Frame, Invalid
from tests.gateway.processes import SIGNATURE, endpoint, target

ID = "0" * 32


class Wrong(Exception):
    """The gateway would refuse; `response` is what the client would read."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.body.decode())
        self.response = response
        is_text = response.content_type.startswith(b"text/")
        self.told: Any = response.body.decode() if is_text else orjson.loads(response.body)


class Answered(NamedTuple):
    """What was asked, and what answers it."""

    asked: Asked
    frame: Frame
    pending: Pending

    def answer(self, predictions: list[Any], probabilities: list[dict[str, float]] | None = None) -> Response:
        """The response to these predictions."""
        return self.asked.encode(Prediction(self.pending, predictions, probabilities), ID)


def served(signature: Any = SIGNATURE, example: Any = None) -> Endpoint:
    """An endpoint `acme/wine` that serves version 1 of a model `cellar` with that signature."""
    version = {**target("cellar", 1, signature=signature), "example": example}
    return _parsed(orjson.dumps({"revision": 1, "endpoints": {"acme/wine": endpoint(1, version)}}))


@functools.lru_cache(maxsize=16)
def _parsed(table: bytes) -> Endpoint:
    return parse(table).endpoints["acme/wine"]


def ask(
    protocol: str,
    body: Any,
    *,
    content_type: bytes = b"",
    headers: Mapping[bytes, bytes] = NO_HEADERS,
    signature: Any = SIGNATURE,
) -> Answered:
    """What a body (bytes, or a value written as JSON) asks for. Raises `Wrong`."""
    found = served(signature)
    match = Match(found, protocol, PREDICT)
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    request = Request(b"POST", b"/", b"", data, 0.0, content_type, headers)
    spoken, version = BY_NAME[protocol], found.targets[0]
    try:
        asked = spoken.decode(request, match, version)
        frame = version.signature.check(asked.records)
    except BadBody as error:
        raise Wrong(spoken.refusal(error.response)) from None
    except Invalid as invalid:
        raise Wrong(spoken.refusal(answers.does_not_fit(found, version, invalid))) from None
    pending = Pending(
        match, version, "key", asked.records, lambda _: None,
        encode=asked.encode, at=0.0, received=0.0, deadline=1.0, size=len(data),
    )  # fmt: skip
    return Answered(asked, frame, pending)

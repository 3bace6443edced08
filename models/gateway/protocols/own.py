"""The platform's own protocol: `{"records": [{"column": value, ...}, ...]}`."""

from __future__ import annotations

from typing import Any

import orjson

from models.gateway import answers
from models.gateway.http import Request
from models.gateway.protocols.base import Asked, BadBody, Protocol, State
from models.gateway.responses import Response, problem
from models.gateway.routes import Match, Target

SHAPE = '{"records": [{"column": value, ...}, ...]}'


class Own(Protocol):
    """See the module."""

    name = "own"

    def decode(self, request: Request, match: Match, target: Target) -> Asked:
        """The value of `records`. Raises `BadBody`."""
        return Asked(records_of(request.body), answers.prediction)

    def read(self, match: Match, state: State) -> Response:
        """Nothing but predictions is asked for here."""
        return answers.METHOD_NOT_ALLOWED

    def refusal(self, response: Response) -> Response:
        """The problem itself."""
        return response


def records_of(body: bytes) -> list[Any]:
    """The records of a request's body, at least one, not yet checked. Raises `BadBody`."""
    try:
        data = orjson.loads(body)
    except ValueError as error:
        detail = f"The body is no JSON: {error}." if body else "The body is empty."
        remedy = f"Send {SHAPE} as UTF-8. JSON has no NaN or Infinity: a missing value is null."
        raise BadBody(problem(400, detail, remedy=remedy)) from error
    if not isinstance(data, dict) or "records" not in data:
        raise BadBody(_not_the_shape("The body is no object with the key records."))
    if len(data) > 1:
        others = ", ".join(str(name)[:80] for name in list(data)[:10] if name != "records")
        raise BadBody(_not_the_shape(f"The body has keys besides records: {others}."))
    records = data["records"]
    if not isinstance(records, list) or not records:
        raise BadBody(_not_the_shape("records is no list with at least one record."))
    if len(records) > answers.MAX_RECORDS:
        raise BadBody(_not_the_shape(f"{len(records)} records are more than the {answers.MAX_RECORDS} of one request."))
    return records


def _not_the_shape(detail: str) -> Response:
    remedy = f"Send {SHAPE}."
    return problem(
        422,
        detail,
        remedy=remedy,
        title="Records do not fit",
        errors=[{"field": "records", "message": detail, "remedy": remedy}],
    )

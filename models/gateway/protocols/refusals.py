"""Problems in the words of protocols that have room for one text only."""

from __future__ import annotations

from typing import Any

import orjson

from models.gateway.responses import JSON, Response

MAX_TOLD = 10


def words(response: Response) -> str:
    """The whole problem as one text: what happened, what is wrong where, what to do."""
    problem = orjson.loads(response.body)
    parts = [problem["detail"]]
    errors = problem.get("errors") or []
    parts += [_one(error) for error in errors[:MAX_TOLD]]
    if len(errors) > MAX_TOLD:
        parts.append(f"{len(errors) - MAX_TOLD} more are wrong.")
    parts.append(problem["remedy"])
    return " ".join(parts)


def _one(error: dict[str, Any]) -> str:
    field = error.get("field")
    return f"{field}: {error['message']}" if field else str(error["message"])


def as_error(response: Response) -> Response:
    """`{"error": "..."}`, with a status that clients of models know: what does not fit is a bad request."""
    status = 400 if response.status == 422 else response.status
    return response._replace(status=status, body=orjson.dumps({"error": words(response)}), content_type=JSON)

"""Problems in the words of protocols that have room for one text only."""

from __future__ import annotations

from typing import Any

import orjson

from models.gateway.responses import JSON, Response

MAX_TOLD = 5
MAX_REMEDIES = 2


def words(response: Response) -> str:
    """The whole problem as one text: what happened, what is wrong where, what to do."""
    problem = orjson.loads(response.body)
    errors = problem.get("errors") or []
    if not errors:
        return f"{problem['detail']} {problem['remedy']}"
    parts = [problem["detail"], *(_one(error) for error in errors[:MAX_TOLD])]
    if len(errors) > MAX_TOLD:
        parts.append(f"{len(errors) - MAX_TOLD} more are wrong.")
    # The problem's own remedy points to its list of errors, which this text has no room for.
    remedies = dict.fromkeys(error.get("remedy", problem["remedy"]) for error in errors[:MAX_TOLD])
    return " ".join([*parts, *list(remedies)[:MAX_REMEDIES]])


def _one(error: dict[str, Any]) -> str:
    field = error.get("field")
    return f"{field}: {error['message']}" if field else str(error["message"])


def as_error(response: Response) -> Response:
    """`{"error": "..."}`, with a status that clients of models know: what does not fit is a bad request."""
    status = 400 if response.status == 422 else response.status
    return response._replace(status=status, body=orjson.dumps({"error": words(response)}), content_type=JSON)

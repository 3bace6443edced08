"""`POST /<workspace>/<endpoint>/feedback`: truth for predictions, into the spool like the predictions themselves."""

from __future__ import annotations

import time
from typing import Any

import orjson

from models.gateway.feedback_items import MAX_ITEMS, SHAPE, BadItem, Item, read_item
from models.gateway.ids import new_prediction_id
from models.gateway.responses import Response, problem
from models.gateway.routes import Endpoint
from models.gateway.spool import encode_record
from models.gateway.spool_writer import SpoolWriter

KIND = "feedback"
MAX_ERRORS = 50
ONLY_POSTED = problem(
    405, "Feedback is given by POST.", remedy=f"Use POST with {SHAPE} in the body.", headers=((b"Allow", b"POST"),)
)


def accept(endpoint: Endpoint, key_id: str, body: bytes, spool: SpoolWriter) -> Response:
    """Record all of it by one write, or none of it. Whether the predictions are on record is not known here.

    Raises `SpoolRefused`, and `RecordTooLarge` where one piece is.
    """
    now = time.time()
    try:
        items = items_of(body, now)
    except BadFeedback as error:
        return error.response
    ids = [new_prediction_id() for _ in items]
    records = (_record(item, id_, endpoint, key_id, now) for item, id_ in zip(items, ids, strict=True))
    spool.append(b"".join([encode_record(record) for record in records]))
    return Response(202, orjson.dumps({"accepted": len(ids), "feedback_ids": ids}))


class BadFeedback(Exception):
    """The body holds no feedback; `response` says why, of each item that is wrong."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def items_of(body: bytes, now: float) -> list[Item]:
    """The items of a body: an object, a list of them, or `{"feedback": [...]}`. Raises `BadFeedback`."""
    try:
        data = orjson.loads(body)
    except ValueError as error:
        detail = f"The body is no JSON: {error}." if body else "The body is empty."
        raise BadFeedback(problem(400, detail, remedy=f"Send {SHAPE}, or a list of such.")) from error
    many = data if isinstance(data, list) else None
    if isinstance(data, dict) and data.keys() == {"feedback"} and isinstance(data["feedback"], list):
        many = data["feedback"]
    if many is not None and not 1 <= len(many) <= MAX_ITEMS:
        raise BadFeedback(_unfit(f"There are {len(many)} pieces of feedback in it.", f"Send 1 to {MAX_ITEMS}.", []))
    items: list[Item] = []
    errors: list[dict[str, Any]] = []
    for index, value in enumerate([data] if many is None else many):
        try:
            items.append(read_item(value, now=now))
        except BadItem as bad:
            place = "" if many is None else f"feedback[{index}]"
            errors += [_error(place, index, *fault) for fault in bad.faults]
        if len(errors) >= MAX_ERRORS:
            break
    if errors:
        detail = "Nothing was recorded, because part of the feedback is wrong."
        raise BadFeedback(_unfit(detail, "Correct what is listed under errors and send all of it again.", errors))
    return items


def _error(place: str, index: int, key: str, message: str, remedy: str) -> dict[str, Any]:
    field = ".".join(part for part in (place, key) if part) or "body"
    return {"field": field, "item": index, "message": message, "remedy": remedy}


def _unfit(detail: str, remedy: str, errors: list[dict[str, Any]]) -> Response:
    return problem(422, detail, remedy=remedy, title="Feedback does not fit", errors=errors[:MAX_ERRORS])


def _record(item: Item, id_: str, endpoint: Endpoint, key_id: str, now: float) -> dict[str, Any]:
    return {"kind": KIND, "id": id_, "at": now, "endpoint_id": endpoint.endpoint_id, "key_id": key_id, **item._asdict()}

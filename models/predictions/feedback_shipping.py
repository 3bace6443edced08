"""Feedback from the gateways' spools: stored in the transaction of the spool's position, once by its own id."""

from __future__ import annotations

import datetime
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import DataError, transaction

from models.endpoints.models import Endpoint, EndpointKey
from models.predictions.feedback_types import UNREADABLE, known_predictions, problem_of
from models.predictions.models import Feedback
from modelwright.core.text import storable_json

logger = logging.getLogger(__name__)

Record = dict[str, Any]
NO_FEEDBACK = (KeyError, TypeError, ValueError, OverflowError, OSError, AttributeError, RecursionError)
_UNSTORABLE = {"unstorable": True}


@transaction.atomic
def store(records: Sequence[Record]) -> None:
    """Store what is not stored yet. Raises ValueError for what is no feedback."""
    rows = []
    for record in records:
        try:
            rows.append(_row(record))
        except NO_FEEDBACK as error:
            raise ValueError(f"a record is no feedback: {error!r}") from error
    _name(rows)
    _judge(rows)
    try:
        with transaction.atomic():
            Feedback.objects.bulk_create(rows, ignore_conflicts=True)
    except DataError:
        for row in rows:
            _store_alone(row)


def _store_alone(row: Feedback) -> None:
    try:
        with transaction.atomic():
            Feedback.objects.bulk_create([row], ignore_conflicts=True)
    except DataError:
        logger.exception("feedback %s is stored without its values", row.pk)
        row.truth, row.response = _UNSTORABLE, None
        row.problem = "What was sent cannot be stored."
        Feedback.objects.bulk_create([row], ignore_conflicts=True)


def _row(record: Record) -> Feedback:
    prediction_id, key_id = record.get("prediction_id"), record.get("key_id")
    happened_at = record.get("happened_at")
    return Feedback(
        id=UUID(record["id"]),
        created_at=_moment(record["at"]),
        endpoint_id=UUID(record["endpoint_id"]),
        prediction_id=UUID(prediction_id) if prediction_id else None,
        record=int(record["record"]),
        truth=storable_json(record["truth"]),
        response=storable_json(record.get("response")),
        happened_at=None if happened_at is None else _moment(happened_at),
        known_at=_moment(record["known_at"]),
        source=Feedback.Source.KEY,
        source_id=UUID(key_id) if key_id else None,
    )


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(float(seconds), datetime.UTC)


def _name(rows: Sequence[Feedback]) -> None:
    """The project and the key's name as they are now."""
    projects = dict(Endpoint.objects.filter(pk__in={row.endpoint_id for row in rows}).values_list("pk", "project_id"))
    keys = dict(EndpointKey.objects.filter(pk__in={row.source_id for row in rows}).values_list("pk", "name"))
    for row in rows:
        row.project_id = projects.get(row.endpoint_id)
        row.created_by = keys.get(row.source_id, "") if row.source_id else ""


def _judge(rows: Sequence[Feedback]) -> None:
    """Say where a truth is of another type than its prediction. The key has been told that it was accepted."""
    by_endpoint: dict[UUID, set[UUID]] = defaultdict(set)
    for row in rows:
        if row.prediction_id is not None:
            by_endpoint[row.endpoint_id].add(row.prediction_id)
    known = {
        (endpoint, id_): each
        for endpoint, ids in by_endpoint.items()
        for id_, each in known_predictions(endpoint, ids).items()
    }
    for row in rows:
        if row.prediction_id is not None:
            try:
                row.problem = problem_of(known.get((row.endpoint_id, row.prediction_id)), row.record, row.truth)
            except UNREADABLE:
                logger.exception("feedback %s cannot be compared", row.pk)
                row.problem = "It cannot be compared with what the version answers."

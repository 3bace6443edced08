"""What was said to be true: by endpoint, by prediction, and of which share of an endpoint's records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from models.endpoints.models import Endpoint
from models.predictions.models import Feedback, Prediction
from models.predictions.partitions import floor_id, time_of

# Of the records that were answered: those that the model failed have no answer which could be true or not. Nobody got
# a shadow's answers, and what a fallback answered is counted for the version that was meant.
_RECORDS = """
SELECT coalesce((SELECT sum(rows) FROM predictions_predictionbucket
                  WHERE endpoint_id = %(endpoint)s AND minute >= %(since)s AND minute < %(until)s
                    AND role NOT IN ('shadow', 'fallback')), 0)
     - coalesce((SELECT sum(rows) FROM predictions_prediction
                  WHERE endpoint_id = %(endpoint)s AND NOT (status = 200) AND id >= %(first)s AND id < %(end)s
                    AND role <> 'shadow'), 0)
"""
_WITH_TRUTH = """
SELECT count(*) FROM (
  SELECT DISTINCT prediction_id, record FROM predictions_feedback
   WHERE endpoint_id = %(endpoint)s AND prediction_id >= %(first)s AND prediction_id < %(end)s AND problem = ''
) said WHERE EXISTS (
  SELECT 1 FROM predictions_prediction p WHERE p.id = said.prediction_id AND p.endpoint_id = %(endpoint)s)
"""
_OLDEST = "SELECT id FROM predictions_prediction WHERE endpoint_id = %s ORDER BY id LIMIT 1"


def feedback_of(endpoint: Endpoint) -> QuerySet[Feedback]:
    """What was said of the endpoint, newest first, each with `matched`. The caller has required PROJECT_VIEW.

    `matched` is whether its prediction is on record: what came with a response of its own never is, and what has no
    prediction now may have had one before retention, or get one when it is shipped.
    """
    return _with_matched().filter(endpoint_id=endpoint.pk).order_by("-id")


def feedback_of_prediction(prediction: Prediction) -> QuerySet[Feedback]:
    """What was said of the prediction, newest first, each with `matched`. The caller may see the prediction."""
    found = _with_matched().filter(prediction_id=prediction.pk, endpoint_id=prediction.endpoint_id)
    return found.order_by("-id")


def _with_matched() -> QuerySet[Feedback]:
    there = Prediction.objects.filter(pk=OuterRef("prediction_id"), endpoint_id=OuterRef("endpoint_id"))
    return Feedback.objects.annotate(matched=Exists(there))


def said_of(prediction: Prediction) -> list[Feedback]:
    """Everything that was said of the prediction, by record, what counts first. The caller may see the prediction."""
    return list(feedback_of_prediction(prediction).order_by("record", "-known_at", "-id")[:500])


def truths_of(prediction: Prediction) -> dict[int, Feedback]:
    """What counts, by record: of what fits the answer's type, what was known last."""
    found: dict[int, Feedback] = {}
    for each in said_of(prediction):
        if not each.problem:
            found.setdefault(each.record, each)
    return found


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many records an endpoint answered from `since` until `until`, and of how many the truth is known."""

    since: datetime
    until: datetime
    records: int
    with_truth: int

    @property
    def share(self) -> float | None:
        """From 0 to 1, None where nothing was answered."""
        return min(1.0, self.with_truth / self.records) if self.records > 0 else None

    @property
    def percent(self) -> float | None:
        """The share in percent."""
        return None if self.share is None else 100 * self.share


def coverage(endpoint: Endpoint, *, days: int, until: datetime | None = None) -> Coverage:
    """The coverage of the last `days` up to now (or `until`), to the minute; not of what retention has deleted."""
    until = _minute(until or timezone.now()) + timedelta(minutes=1)
    since = until - timedelta(days=days)
    with connection.cursor() as cursor:
        oldest = _one(cursor, _OLDEST, [endpoint.pk])
        if isinstance(oldest, UUID):
            since = max(since, _minute(time_of(oldest)))
        values = {
            "endpoint": endpoint.pk,
            "since": since,
            "until": until,
            "first": floor_id(since),
            "end": floor_id(until),
        }
        records = int(str(_one(cursor, _RECORDS, values)))
        with_truth = int(str(_one(cursor, _WITH_TRUTH, values)))
    return Coverage(since, until, records, with_truth)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _one(cursor: object, sql: str, values: object) -> object:
    cursor.execute(sql, values)  # type: ignore[attr-defined]  # Django's cursor has no stub that names it
    row = cursor.fetchone()  # type: ignore[attr-defined]
    return row[0] if row else None

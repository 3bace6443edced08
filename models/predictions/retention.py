"""Predictions that are older than they are kept are deleted, in bounded pieces; a day of which nothing is kept goes as
a partition. Whole days are kept or deleted, by the time in their ids."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from time import monotonic
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from models.endpoints.models import Endpoint
from models.endpoints.services import audit, endpoint_target
from models.predictions.models import Prediction
from models.predictions.partitions import Partition, drop, floor_id, hold, partitions
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record

logger = logging.getLogger(__name__)

RETENTION = Actor.system("retention of predictions")
PIECE_ROWS = 5000
PIECES = 20
# What a tick may take; the next one goes on.
TICK_SECONDS = 20.0
BEGINNING = UUID(int=0)
# From one owner to the next by the index, however many rows each has: jobs without an endpoint, endpoints of the past.
_OF_NO_ENDPOINT = """
WITH RECURSIVE owner(id) AS (
  (SELECT endpoint_id FROM predictions_prediction WHERE id < %(before)s ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT endpoint_id FROM predictions_prediction
           WHERE id < %(before)s AND endpoint_id > owner.id ORDER BY 1 LIMIT 1)
    FROM owner WHERE owner.id IS NOT NULL
)
SELECT id FROM owner WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM endpoints_endpoint e WHERE e.id = owner.id)
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be deleted of an endpoint: ids before `before`, the first id of `day`."""

    endpoint: Endpoint
    day: datetime
    before: UUID


def tick() -> None:
    """Delete what is due, for about `TICK_SECONDS` at most; the audit log has how much, in the same transaction."""
    until, now = monotonic() + TICK_SECONDS, timezone.now()
    wishes = due(now)
    others = _first_kept(now, settings.PREDICTION_RETENTION_DAYS)
    _drop_whole(wishes, others)
    rest = {} if others is None else dict.fromkeys(_of_no_endpoint(floor_id(others)), floor_id(others))
    for owner, before in {**{pk: wish.before for pk, wish in wishes.items()}, **rest}.items():
        while monotonic() < until and _delete_some(owner, before, wishes) == PIECES * PIECE_ROWS:
            pass


def due(now: datetime) -> dict[UUID, Wish]:
    """The endpoints that keep predictions for some days only, stopped ones too."""
    found = {}
    for endpoint in Endpoint.objects.select_related("workspace"):
        day = _first_kept(now, endpoint.retention_days or settings.PREDICTION_RETENTION_DAYS)
        if day is not None:
            found[endpoint.pk] = Wish(endpoint, day, floor_id(day))
    return found


def _first_kept(now: datetime, days: int) -> datetime | None:
    """The first day that is kept: today and `days` whole days before it. None where all are."""
    today = datetime.combine(now.astimezone(UTC).date(), clock.min, UTC)
    return max(today, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)) - timedelta(days=days) if days else None


def _of_no_endpoint(before: UUID) -> list[UUID]:
    """Whose the predictions with ids before `before` are that are no endpoint's."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_NO_ENDPOINT, {"before": before})
        return [owner for (owner,) in cursor.fetchall()]


@transaction.atomic
def _delete_some(owner: UUID, before: UUID, wishes: Mapping[UUID, Wish]) -> int:
    """Delete up to `PIECES` pieces of the owner's oldest rows; how many rows that were."""
    deleted, after = 0, BEGINNING
    for _ in range(PIECES):
        rows = Prediction.objects.filter(endpoint_id=owner, pk__lt=before, pk__gte=after)
        last = rows.order_by("pk").values_list("pk", flat=True)[PIECE_ROWS - 1 : PIECE_ROWS].first()
        piece = rows if last is None else rows.filter(pk__lte=last)
        deleted += piece.delete()[0]
        if last is None:
            break
        after = last
    if deleted:
        _say({owner: deleted}, wishes)
    return deleted


def _drop_whole(wishes: Mapping[UUID, Wish], others: datetime | None) -> None:
    """Drop the partitions of which nothing is kept. `others` is the first day that is kept of what is no endpoint's."""
    ends = [wish.day for wish in wishes.values()] + ([others] if others else [])
    for part in partitions():
        if not ends or part.ends_at > max(ends):
            return
        gone = [endpoint_id for endpoint_id, wish in wishes.items() if wish.before >= part.end]
        kept = _rows_of(part).exclude(endpoint_id__in=gone)
        if others is not None and part.ends_at <= others:
            kept = kept.filter(endpoint_id__in=Endpoint.objects.values("pk"))
        if kept.exists():
            continue
        try:
            _drop(part, kept, wishes)
        except OperationalError as error:
            logger.info("the partition %s is in use and stays for now: %s", part.name, error)


def _rows_of(part: Partition) -> QuerySet[Prediction]:
    rows = Prediction.objects.filter(pk__lt=part.end)
    return rows.filter(pk__gte=part.start) if part.start else rows


@transaction.atomic
def _drop(part: Partition, kept: QuerySet[Prediction], wishes: Mapping[UUID, Wish]) -> None:
    # A late row (of an old spool, of a job with a slow clock) may have come since it was asked.
    hold(part)
    if kept.exists():
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT endpoint_id, count(*) FROM {part.name} GROUP BY 1")  # noqa: S608 - a name of ours
        counts = Counter({endpoint_id: int(count) for endpoint_id, count in cursor.fetchall()})
    drop(part)
    _say(counts, wishes, partition=part.name)


def _say(counts: Mapping[UUID, int], wishes: Mapping[UUID, Wish], **more: Any) -> None:
    others = sum(count for endpoint_id, count in counts.items() if endpoint_id not in wishes)
    for endpoint_id in sorted(counts.keys() & wishes.keys()):
        wish = wishes[endpoint_id]
        audit(
            AuditAction.PREDICTIONS_DELETED,
            endpoint_target(wish.endpoint),
            wish.endpoint,
            acting_user=RETENTION,
            after={"deleted": counts[endpoint_id], "older_than": wish.day.date().isoformat(), **more},
        )
    if others:
        record(
            acting_user=RETENTION,
            action=AuditAction.PREDICTIONS_DELETED,
            target=Target("predictions", "", "of batch jobs"),
            after={"deleted": others, **more},
        )

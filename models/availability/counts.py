"""What gateways counted, added up over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max

from models.availability.budget import Counts
from models.availability.compacting import finest_at
from models.availability.models import AvailabilityMinute
from models.predictions.compacting import floor

MINUTE = timedelta(minutes=1)
MAX_STEPS = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """What was counted from `at` on."""

    at: datetime
    counts: Counts


_STEPS = """
SELECT date_bin(%(step)s, minute, %(since)s), sum(answered)::bigint, sum(refused)::bigint, sum(failed)::bigint
  FROM availability_availabilityminute
 WHERE endpoint_id = %(endpoint)s AND minute >= %(since)s AND minute < %(until)s
 GROUP BY 1
"""


def steps(endpoint_id: UUID, since: datetime, until: datetime, step: timedelta) -> list[Step]:
    """One for each step from `since` (down to its minute) to `until`, those without requests too. Of what is kept by
    the hour, it is whole hours that are told."""
    finest = finest_at(since)
    since, until = floor(since.astimezone(UTC), finest), floor(until, finest_at(until)) if finest > MINUTE else until
    step = max(step // finest, 1, -(-(until - since) // (MAX_STEPS * finest))) * finest
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"endpoint": endpoint_id, "since": since, "until": until, "step": step}
        cursor.execute(_STEPS, values)
        found = {row[0]: Counts(*row[1:]) for row in cursor.fetchall()}
    count = -(-(until - since) // step)
    return [Step(since + step * number, found.get(since + step * number, Counts())) for number in range(count)]


def lately(
    endpoint_ids: Sequence[UUID], lengths: Sequence[timedelta], now: datetime
) -> dict[UUID, Mapping[timedelta, Counts]]:
    """Of each endpoint what was counted in each of so long times until now, by one look at the table."""
    if not endpoint_ids or not lengths:
        return {}
    columns = ", ".join(
        f"coalesce(sum({name}) FILTER (WHERE minute > %s), 0)::bigint"
        for _ in lengths
        for name in ("answered", "refused", "failed")
    )
    since: list[Any] = [now - length for length in lengths for _ in range(3)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT endpoint_id, {columns} FROM availability_availabilityminute"  # noqa: S608 - no value is in it
            " WHERE endpoint_id = ANY(%s) AND minute > %s GROUP BY 1",
            [*since, list(endpoint_ids), now - max(lengths)],
        )
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    nothing = (0,) * (3 * len(lengths))
    return {
        id_: {
            length: Counts(*rows.get(id_, nothing)[3 * place : 3 * place + 3]) for place, length in enumerate(lengths)
        }
        for id_ in endpoint_ids
    }


def counted_until(endpoint_id: UUID) -> datetime | None:
    """The newest minute that anything was counted in."""
    newest: datetime | None = AvailabilityMinute.objects.filter(endpoint_id=endpoint_id).aggregate(at=Max("minute"))[
        "at"
    ]
    return newest

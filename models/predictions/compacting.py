"""What was counted by the minute is counted by the hour once no page draws minutes of it, and later by the day.

Nothing is lost but the minute: of what is that old, `rates` asks for whole hours and days, before it is merged and
after.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from models.predictions import histogram

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# A tick that has taken so long leaves the rest to the next one.
TICK_SECONDS = 20.0
# So much of one endpoint is merged in one transaction.
PIECE = timedelta(days=31)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Level(NamedTuple):
    """What is older than `kept` is counted in steps of `step`; `unit` is PostgreSQL's word for it."""

    kept: timedelta
    step: timedelta
    unit: str


# Charts go back a week, and error budgets, of which gateways keep counts of their own, a month.
LEVELS = (Level(timedelta(days=35), HOUR, "hour"), Level(timedelta(days=400), DAY, "day"))

# One version may have answered for a deployment in several roles: each has a row, a minute after the one before.
_FINE = """
SELECT endpoint_id, min(minute) FROM predictions_predictionbucket
 WHERE minute < %(before)s AND minute - date_trunc(%(unit)s, minute, 'UTC') >= interval '4 minutes'
 GROUP BY 1
"""
_SUMS = ", ".join(f"sum(latency[{number}])::bigint" for number in range(1, histogram.COUNTERS + 1))
_MERGE = f"""
WITH gone AS (
  DELETE FROM predictions_predictionbucket
   WHERE endpoint_id = %(endpoint)s AND minute >= %(since)s AND minute < %(until)s RETURNING *
), merged AS (
  SELECT endpoint_id, date_trunc(%(unit)s, minute, 'UTC') AS at, deployment_id, model_version_id, role,
         sum(count)::bigint AS count, sum(rows)::bigint AS rows, sum(errors)::bigint AS errors,
         sum(fallbacks)::bigint AS fallbacks, ARRAY[{_SUMS}] AS latency, sum(latency_sum_ms) AS latency_sum_ms
    FROM gone GROUP BY 1, 2, 3, 4, 5
)
INSERT INTO predictions_predictionbucket
  (endpoint_id, minute, deployment_id, model_version_id, role, count, rows, errors, fallbacks, latency, latency_sum_ms)
SELECT endpoint_id,
       at + interval '1 minute'
          * (row_number() OVER (PARTITION BY endpoint_id, at, deployment_id, model_version_id ORDER BY role) - 1),
       deployment_id, model_version_id, role, count, rows, errors, fallbacks, latency, latency_sum_ms
  FROM merged
"""  # noqa: S608 - no value is in it


def step_at(moment: datetime, now: datetime | None = None) -> timedelta:
    """How fine the counts of that time are, or may be before long: a minute where nothing is merged."""
    age = (now or timezone.now()) - moment
    # Merging goes by whole days, and its boundary comes to a moment a day before that.
    steps = [level.step for level in LEVELS if age >= level.kept - DAY]
    return max(steps, default=MINUTE)


def floor(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the step that the moment is in; steps go by UTC."""
    return moment - (moment - _EPOCH) % step


def tick() -> int:
    """Merge what is due, for about `TICK_SECONDS` at most; how many pieces of endpoints that were. What comes late, of
    an old spool, is merged by the next one."""
    deadline, now, done = monotonic() + TICK_SECONDS, timezone.now(), 0
    for level in LEVELS:
        before = floor(now.astimezone(UTC) - level.kept, DAY)
        for endpoint, since, until in _pieces(level, before):
            if monotonic() > deadline:
                return done
            _merge(level, endpoint, since, until)
            done += 1
    return done


def _pieces(level: Level, before: datetime) -> Iterator[tuple[UUID, datetime, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(_FINE, {"before": before, "unit": level.unit})
        found = cursor.fetchall()
    for endpoint, first in found:
        at = floor(first.astimezone(UTC), DAY)
        while at < before:
            yield endpoint, at, min(at + PIECE, before)
            at += PIECE


def _merge(level: Level, endpoint: UUID, since: datetime, until: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MERGE, {"endpoint": endpoint, "since": since, "until": until, "unit": level.unit})

"""Rates, percentiles and errors over time, from what was counted by the minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from models.endpoints.models import Endpoint
from models.predictions import histogram
from models.predictions.compacting import floor, step_at

MINUTE = timedelta(minutes=1)
MAX_POINTS = 2000

# A sum for each counter: several times as quick as taking the arrays apart and adding up by number.
_SUMS = ", ".join(f"sum(latency[{number}])::bigint" for number in range(1, histogram.COUNTERS + 1))
_COUNTS = f"""
SELECT date_bin(%(step)s, minute, %(since)s), sum(count)::bigint, sum(rows)::bigint, sum(errors)::bigint,
       sum(fallbacks)::bigint, sum(latency_sum_ms), ARRAY[{_SUMS}]
  FROM predictions_predictionbucket
 WHERE endpoint_id = %(endpoint)s AND minute >= %(since)s AND minute < %(until)s
   AND deployment_id IN (SELECT id FROM endpoints_deployment WHERE endpoint_id = %(endpoint)s)
   AND (%(deployment)s::uuid IS NULL OR deployment_id = %(deployment)s)
   AND (%(version)s::uuid IS NULL OR model_version_id = %(version)s)
   AND CASE WHEN %(role)s::text IS NULL THEN role NOT IN ('shadow', 'fallback') ELSE role = %(role)s END
 GROUP BY 1
"""  # noqa: S608 - no value is in it


@dataclass(frozen=True, slots=True)
class Rate:
    """What an endpoint did within `seconds` from `at` on. Latencies are in ms, of what was answered, None of
    nothing."""

    at: datetime
    seconds: float
    count: int = 0
    rows: int = 0
    errors: int = 0
    fallbacks: int = 0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.count / self.seconds

    @property
    def error_share(self) -> float | None:
        """The share of requests that the model failed, None without requests."""
        return self.errors / self.count if self.count else None

    @property
    def fallback_share(self) -> float | None:
        """The share of requests that the fallback answered, None without requests."""
        return self.fallbacks / self.count if self.count else None


def buckets_of(
    endpoint: Endpoint,
    since: datetime,
    until: datetime,
    step: timedelta,
    *,
    deployment: UUID | None = None,
    version: UUID | None = None,
    role: str | None = None,
) -> list[Rate]:
    """One `Rate` for each step from `since` (down to its minute) to `until`, those without requests too.

    `step` is of whole minutes, and lengthened where there would be more than `MAX_POINTS`. What is old is counted by
    the hour or day (`compacting.LEVELS`): then `since`, `until` and `step` are of whole hours or days. The caller has
    required PROJECT_VIEW. Requests are counted when they were received, a second or so after they were answered. Rows
    of batch jobs are none: nobody waited for them. So are those of shadows, and what a fallback did is counted for the
    version that was meant; `role` asks for what was answered in that role alone.
    """
    finest = step_at(since)
    since, until = floor(since.astimezone(UTC), finest), floor(until, step_at(until)) if finest > MINUTE else until
    step = max(step // finest, 1, -(-(until - since) // (MAX_POINTS * finest))) * finest
    values: dict[str, Any] = {"endpoint": endpoint.pk, "since": since, "until": until, "step": step}
    values |= {"deployment": deployment, "version": version, "role": role}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, values)
        counts = {row[0]: row[1:] for row in cursor.fetchall()}
    return [_rate(at, step, counts.get(at)) for at in _steps(since, until, step)]


def _steps(since: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    at = since
    while at < until:
        yield at
        at += step


def _rate(at: datetime, step: timedelta, counted: tuple[Any, ...] | None) -> Rate:
    seconds = step.total_seconds()
    if counted is None:
        return Rate(at, seconds)
    count, rows, errors, fallbacks, latency_sum_ms, latency = counted
    answered = count - errors
    mean = round(latency_sum_ms / answered, 4) if answered else None
    return Rate(at, seconds, count, rows, errors, fallbacks, mean, *histogram.percentiles(latency, (0.5, 0.95, 0.99)))

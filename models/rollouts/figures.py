"""What was counted and answered of a version under given deployments, for conditions and for people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import OperationalError, connection, transaction
from django.db.models import Sum

from models.endpoints.models import Replica
from models.predictions import histogram
from models.predictions.models import PredictionBucket
from models.rollouts.conditions import MOST_ANSWERS, Figures

_LIMIT = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)"
# Whoever waits for this has other rollouts to stop.
LONGEST_MS = 5_000
# The newest answers that are looked at, of all versions of the deployments together.
NEWEST = 20_000

_SUMS = ", ".join(f"sum(latency[{number}])::bigint" for number in range(1, histogram.COUNTERS + 1))
_COUNTS = f"""
SELECT sum(count)::bigint, sum(errors)::bigint, sum(fallbacks)::bigint, ARRAY[{_SUMS}]
  FROM predictions_predictionbucket
 WHERE endpoint_id = %(endpoint)s AND minute >= date_trunc('minute', %(since)s::timestamptz)
   AND deployment_id = ANY(%(deployments)s) AND model_version_id = %(version)s
"""  # noqa: S608 - no value is in it

# Words, numbers without a fraction and truth values are classes; anything else is not counted.
_ANSWERS = """
WITH newest AS (
  SELECT model_version_id, outputs, status, fallback FROM predictions_prediction
   WHERE deployment_id = ANY(%(deployments)s) ORDER BY id DESC LIMIT %(newest)s
), answer AS (
  SELECT jsonb_array_elements(CASE jsonb_typeof(outputs) WHEN 'array' THEN outputs ELSE '[]' END) AS value
    FROM newest WHERE model_version_id = %(version)s AND status = 200 AND fallback = ''
)
SELECT CASE jsonb_typeof(value) WHEN 'string' THEN value #>> '{}' ELSE value::text END, count(*)
  FROM answer
 GROUP BY 1
 ORDER BY 2 DESC
 LIMIT %(most)s
"""


def counted(
    endpoint_id: UUID, version_id: UUID, deployments: Collection[UUID], *, since: datetime, died_since: datetime | None
) -> Figures:
    """What the version did under the deployments since a minute; replicas that died are counted from `died_since` on.

    Requests are counted when the shipper stored them, a second or so after they were answered.
    """
    values: dict[str, Any] = {"endpoint": endpoint_id, "since": since, "version": version_id}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {**values, "deployments": list(deployments)})
        row = cursor.fetchone()
    deaths = died(endpoint_id, version_id, died_since) if died_since else 0
    if row is None or row[0] is None:
        return Figures(deaths=deaths)
    return Figures(row[0], row[1], row[2], tuple(row[3]), {}, deaths)


def answers(version_id: UUID, deployments: Collection[UUID]) -> dict[str, int]:
    """Records by answer among the newest predictions of the deployments, the most frequent first; empty where answers
    are no classes, or are so many and long that counting them takes more than `LONGEST_MS`."""
    values: dict[str, Any] = {
        "deployments": list(deployments),
        "version": version_id,
        "newest": NEWEST,
        "most": MOST_ANSWERS + 1,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LIMIT, [str(LONGEST_MS)])
            before = cursor.fetchone()
            cursor.execute(_ANSWERS, values)
            found = cursor.fetchall()
            cursor.execute(_LIMIT, before[:1] if before else ["0"])
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise
        return {}
    return {} if len(found) > MOST_ANSWERS else {str(value)[:100]: count for value, count in found}


def requests_of(endpoint_id: UUID, version_id: UUID, deployments: Sequence[UUID]) -> int:
    """How many requests the version got under the deployments."""
    found = PredictionBucket.objects.filter(
        endpoint_id=endpoint_id, deployment_id__in=deployments, model_version_id=version_id
    )
    return int(found.aggregate(all=Sum("count"))["all"] or 0)


def died(endpoint_id: UUID, version_id: UUID, since: datetime) -> int:
    """Replicas of the version that ended by themselves since then; none that were stopped, or lost with their host."""
    ended = Replica.objects.filter(
        endpoint_id=endpoint_id,
        model_version_id=version_id,
        purpose=Replica.Purpose.SERVE,
        workload__finished_at__gte=since,
    )
    return (
        ended.exclude(workload__state__in=("cancelled", "lost"))
        .exclude(workload__cancel_requested_at__isnull=False)
        .count()
    )

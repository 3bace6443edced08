"""Where to look: how far back an endpoint's newest predictions reach, as the counts say.

A query without it would have to be planned for every day there is. It is a hint: what was deleted is still counted, and
what was stored before anything was counted is not.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection

from models.endpoints.models import Endpoint
from models.predictions.compacting import MINUTE, floor, step_at
from models.predictions.partitions import floor_id

_SQL = """
SELECT minute
  FROM (SELECT minute, sum(CASE WHEN %(failed)s THEN errors ELSE count END) OVER (ORDER BY minute DESC) AS counted
          FROM predictions_predictionbucket
         WHERE endpoint_id = %(endpoint)s AND minute < %(before)s AND role <> 'fallback'
           AND (%(deployment)s::uuid IS NULL OR deployment_id = %(deployment)s) AND (NOT %(failed)s OR errors > 0)
         ORDER BY minute DESC LIMIT %(wanted)s) AS newest
 WHERE counted >= %(wanted)s
 ORDER BY minute DESC LIMIT 1
"""


def first_of_newest(
    endpoint: Endpoint, wanted: int, *, before: datetime, deployment: UUID | None = None, only_failed: bool = False
) -> UUID | None:
    """An id such that at least `wanted` predictions that were received before `before` are not below it; None where not
    so many were counted."""
    values = {
        "endpoint": endpoint.pk,
        "deployment": deployment,
        "failed": only_failed,
        # Counts of a whole hour or day say nothing of its first minutes.
        "before": floor(before, step_at(before)) if step_at(before) > MINUTE else before,
        "wanted": wanted,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
        row = cursor.fetchone()
    return floor_id(row[0]) if row else None

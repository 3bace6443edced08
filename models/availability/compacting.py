"""What gateways counted by the minute is kept by the hour, of all of them together, once no chart or budget reaches
back to it. The sums stay what they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

from models.availability.budget import WINDOW
from models.predictions.compacting import DAY, HOUR, floor

# A chart of a month draws at its beginning what was left of the budget of the month before.
KEPT_MINUTES = 2 * WINDOW + timedelta(days=5)
# Gateways have names, so this one is nobody's.
ALL = ""
_MERGE = """
WITH gone AS (
  DELETE FROM availability_availabilityminute WHERE minute >= %(since)s AND minute < %(until)s AND source <> %(all)s
  RETURNING endpoint_id, date_trunc('hour', minute, 'UTC') AS at, answered, refused, failed
)
INSERT INTO availability_availabilityminute AS m (endpoint_id, minute, source, answered, refused, failed)
SELECT endpoint_id, at, %(all)s, sum(answered), sum(refused), sum(failed) FROM gone GROUP BY 1, 2
    ON CONFLICT (endpoint_id, minute, source) DO UPDATE
   SET answered = m.answered + excluded.answered, refused = m.refused + excluded.refused,
       failed = m.failed + excluded.failed
"""
_OLDEST = "SELECT min(minute) FROM availability_availabilityminute WHERE minute < %(before)s AND source <> %(all)s"


def first_by_minute() -> datetime:
    """From then on minutes are kept; what is told of an earlier one comes too late to be counted."""
    return floor(timezone.now().astimezone(UTC) - KEPT_MINUTES, DAY)


def tick() -> int:
    """Merge what is due, a day of all endpoints at a time; how many days that were."""
    before, days = first_by_minute(), 0
    while (first := _oldest(before)) is not None:
        since = floor(first.astimezone(UTC), DAY)
        with connection.cursor() as cursor:
            cursor.execute(_MERGE, {"since": since, "until": since + DAY, "all": ALL})
        days += 1
    return days


def _oldest(before: datetime) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST, {"before": before, "all": ALL})
        found: datetime | None = cursor.fetchone()[0]
    return found


def finest_at(moment: datetime) -> timedelta:
    """How fine the counts of that time are, or may be before long."""
    return HOUR if moment < first_by_minute() + DAY else timedelta(minutes=1)

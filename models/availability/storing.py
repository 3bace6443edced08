"""What gateways told of their availability, from the spool into the table, in the transaction of the spool's position.

Each record says how its minute stands as a whole, so the largest counts, and one that comes twice or late changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from models.availability.compacting import first_by_minute

_STORE = """
INSERT INTO availability_availabilityminute AS m (endpoint_id, minute, source, answered, refused, failed)
SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
    ON CONFLICT (endpoint_id, minute, source) DO UPDATE
   SET answered = greatest(m.answered, excluded.answered),
       refused = greatest(m.refused, excluded.refused),
       failed = greatest(m.failed, excluded.failed)
"""
_Place = tuple[UUID, datetime, str]
_Counts = tuple[int, int, int]


@transaction.atomic
def store(records: Sequence[dict[str, Any]]) -> None:
    """Store them, but what is told of times that are no longer kept by the minute. Raises ValueError, KeyError or
    TypeError for what is no such record."""
    found: dict[_Place, _Counts] = {}
    kept = first_by_minute()
    for record in records:
        place, counts = _read(record)
        if place[1] < kept:
            continue
        before = found.get(place, (0, 0, 0))
        found[place] = (max(before[0], counts[0]), max(before[1], counts[1]), max(before[2], counts[2]))
    if not found:
        return
    # In one order, so that two shippers do not wait for each other.
    places = sorted(found)
    columns = [list(column) for column in zip(*[(*place, *found[place]) for place in places], strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, columns)


def _read(record: dict[str, Any]) -> tuple[_Place, _Counts]:
    minute = int(record["minute"])
    if minute % 60:
        raise ValueError(f"{minute} is no minute")
    counts = int(record["answered"]), int(record["refused"]), int(record["failed"])
    if min(counts) < 0 or max(counts) >= 2**62:
        raise ValueError("a count is no count")
    source = str(record["source"])
    if not 0 < len(source) <= 100 or "\0" in source:
        raise ValueError("it does not say who counted")
    return (UUID(record["endpoint_id"]), datetime.fromtimestamp(minute, UTC), source), counts

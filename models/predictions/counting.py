"""What is counted of predictions by the minute, in the transaction that stores them.

A request that another version answered as the fallback is counted twice: for the version that was meant, as what
clients saw of it, and for the fallback under that role, which is no traffic of the endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from models.predictions import histogram
from models.predictions.records import Row

# (endpoint, minute since 1970, deployment, version)
Key = tuple[str, int, str, str]


class Tally:
    """The counts of one bucket that a batch adds."""

    __slots__ = ("count", "errors", "fallbacks", "latency", "latency_sum_ms", "role", "rows")

    def __init__(self, role: str) -> None:
        self.role = role
        self.count = self.rows = self.errors = self.fallbacks = 0
        self.latency = histogram.empty()
        self.latency_sum_ms = 0.0


# Rows are locked in one order, so that two shippers cannot wait for each other.
_ADD = """
INSERT INTO predictions_predictionbucket AS there
  (endpoint_id, minute, deployment_id, model_version_id, role, count, rows, errors, fallbacks, latency, latency_sum_ms)
SELECT endpoint_id, to_timestamp(minute * 60), deployment_id, model_version_id, role, count, rows, errors, fallbacks,
       latency::bigint[], latency_sum_ms
  FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::uuid[], %s::text[],
              %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::float8[])
    AS added(endpoint_id, minute, deployment_id, model_version_id, role, count, rows, errors, fallbacks, latency,
             latency_sum_ms)
 ORDER BY 1, 2, 3, 4
ON CONFLICT (endpoint_id, minute, deployment_id, model_version_id) DO UPDATE SET
  count = there.count + excluded.count, rows = there.rows + excluded.rows, errors = there.errors + excluded.errors,
  fallbacks = there.fallbacks + excluded.fallbacks,
  latency = (SELECT array_agg(a + b ORDER BY number)
               FROM unnest(there.latency, excluded.latency) WITH ORDINALITY AS both_of(a, b, number)),
  latency_sum_ms = there.latency_sum_ms + excluded.latency_sum_ms
"""


def tally(rows: Iterable[Row]) -> dict[Key, Tally]:
    """Count rows by bucket."""
    found: dict[Key, Tally] = {}
    for row in rows:
        key = (row.endpoint_id, row.minute, row.deployment_id, row.model_version_id)
        into = found.get(key)
        if into is None:
            into = found[key] = Tally(row.role)
        _add(into, row)
        if row.meant is not None:
            meant = found.setdefault((*key[:3], row.meant.model_version_id), Tally(row.meant.role))
            _add(meant, row)
            meant.fallbacks += not row.failed
        elif row.is_fallback:
            into.fallbacks += not row.failed
    return found


def _add(into: Tally, row: Row) -> None:
    into.count += 1
    into.rows += row.rows
    if row.failed:
        into.errors += 1
    else:
        into.latency[histogram.place(row.latency_ms)] += 1
        into.latency_sum_ms += row.latency_ms


def count(rows: Iterable[Row]) -> None:
    """Add rows that were not stored before to their buckets. Call it in the transaction that stores them."""
    tallies = tally(rows)
    if not tallies:
        return
    added = [
        (
            *(*key, each.role, each.count, each.rows, each.errors, each.fallbacks),
            *(_array(each.latency), each.latency_sum_ms),
        )
        for key, each in tallies.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(column) for column in zip(*added, strict=True)])


def _array(numbers: list[int]) -> str:
    """As PostgreSQL writes an array: one of arrays would have two dimensions."""
    return f"{{{','.join(map(str, numbers))}}}"

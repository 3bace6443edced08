"""From the counters of a process into the sums of all, and back as families."""

from __future__ import annotations

import json
import logging
from collections import defaultdict

from django.db import DatabaseError, InterfaceError, connection, transaction

from modelwright.core import counting
from modelwright.core.exposition import SECONDS, Family, Labels, Sample, number
from modelwright.observability.models import Count

logger = logging.getLogger(__name__)

MAX_LABELS = 500
_BOUNDS = [number(bound) for bound in SECONDS]

# In one order, so that two processes never wait for each other.
_ADD = """
INSERT INTO observability_count (name, labels, part, value)
SELECT name, labels, part, value
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::double precision[]) AS new (name, labels, part, value)
 ORDER BY name, labels, part
ON CONFLICT (name, labels, part) DO UPDATE SET value = observability_count.value + excluded.value
"""


def add() -> None:
    """Add what this process has counted to the sums. While the database does not answer it goes on counting.

    Inside a transaction nothing is done: it might be rolled back, and would hold up every other process meanwhile.
    """
    if connection.in_atomic_block:
        return
    taken = counting.take()
    rows = [(name, json.dumps(labels), part, value) for (name, labels, part), value in taken.items()]
    rows = [row for row in rows if len(row[1]) <= MAX_LABELS]
    if not rows:
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])
    except (DatabaseError, InterfaceError) as error:
        counting.give_back(taken)
        logger.warning("what was counted is told later: %s", error)


def families() -> list[Family]:
    """All sums, in the order in which they are declared."""
    found: dict[str, dict[Labels, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for name, labels, part, value in Count.objects.order_by("labels").values_list("name", "labels", "part", "value"):
        found[name][tuple((key, text) for key, text in json.loads(labels))][part] = value
    return [_family(declared, found[declared.name]) for declared in counting.DECLARED.values()]


def _family(declared: counting.Declared, series: dict[Labels, dict[str, float]]) -> Family:
    family = Family(declared.name, declared.kind, declared.help)
    for labels, parts in series.items():
        if declared.kind == "counter":
            family.samples.append(Sample(labels, parts.get("", 0.0)))
        else:
            counts = [parts.get(bound, 0.0) for bound in (*_BOUNDS, "+Inf")]
            family.add_histogram(SECONDS, counts, parts.get("sum", 0.0), labels)
    return family

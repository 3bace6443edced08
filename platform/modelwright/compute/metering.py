"""How much of the hosts workloads had reserved, and for how long.

A workload uses what it asked for from the moment it is placed, since nobody else can have it then, until its end. Of
that only what lies in the period counts, and of a live one only what has passed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Count, DateTimeField, F, FloatField, Func, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils import timezone

from modelwright.compute.models import GIB, UsageRates, Workload

HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, before `until`. Both have a time zone."""

    since: datetime
    until: datetime

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class Usage:
    """Reserved CPUs, memory in GiB and GPUs, each times hours; the hours alone; and how many workloads it were."""

    cpu_hours: float = 0.0
    gib_hours: float = 0.0
    gpu_hours: float = 0.0
    hours: float = 0.0
    workloads: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_hours + other.cpu_hours,
            self.gib_hours + other.gib_hours,
            self.gpu_hours + other.gpu_hours,
            self.hours + other.hours,
            self.workloads + other.workloads,
        )


@dataclass(frozen=True, slots=True)
class Group:
    """What the workloads with `key` used. `key` has a value for each field that was grouped by."""

    key: tuple[Any, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Point:
    """What the workloads with `key` used in the stretch that begins at `at`."""

    key: Any
    at: datetime
    usage: Usage


NOTHING = Usage()
_FIELDS = [field.name for field in fields(Usage)]


class _Seconds(Func):
    # Unlike EXTRACT, which counts in decimal numbers, this is quick.
    template = "date_part('epoch', %(expressions)s)"
    arg_joiner = " - "
    output_field = FloatField()


def in_period(workloads: QuerySet[Workload], period: Period) -> QuerySet[Workload]:
    """Those that had something reserved in the period."""
    return workloads.filter(
        Q(finished_at=None) | Q(finished_at__gt=period.since), placed_at__isnull=False, placed_at__lt=_end(period)
    )


def usage(workloads: QuerySet[Workload], period: Period, by: Sequence[str]) -> list[Group]:
    """What the workloads used in the period: a group for each combination of values of the fields `by`."""
    rows = in_period(workloads, period).order_by().values(*by).annotate(**_sums(period)).values_list(*by, *_FIELDS)
    width = len(by)
    return [Group(tuple(row[:width]), Usage(*row[width:])) for row in rows]


def total(workloads: QuerySet[Workload], period: Period) -> Usage:
    """What all the workloads used in the period."""
    sums = in_period(workloads, period).aggregate(**_sums(period))
    return Usage(**{name: value or 0 for name, value in sums.items()})


def _sums(period: Period) -> dict[str, Any]:
    end = _moment(_end(period))
    hours = _Seconds(Least(Coalesce("finished_at", end), end), Greatest("placed_at", _moment(period.since))) / HOUR
    return {
        "cpu_hours": Sum(hours * F("cpu")),
        "gib_hours": Sum(hours * F("memory_bytes"), output_field=FloatField()) / float(GIB),
        "gpu_hours": Sum(hours * F("gpus"), output_field=FloatField()),
        "hours": Sum(hours),
        "workloads": Count("pk"),
    }


STRETCHES: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
# In seconds since 1970, where days are those of UTC and arithmetic is quick.
_SERIES = """
SELECT w.key, stretch,
       sum(hours * w.cpu), sum(hours * w.memory_bytes) / {gib}, sum(hours * w.gpus), sum(hours), count(*)
FROM ({workloads}) AS w (placed_at, finished_at, cpu, memory_bytes, gpus, key)
CROSS JOIN LATERAL (
    SELECT date_part('epoch', greatest(w.placed_at, %s)) AS since,
           date_part('epoch', least(coalesce(w.finished_at, %s), %s)) AS until
) AS life
CROSS JOIN LATERAL {stretches} AS stretches (stretch)
CROSS JOIN LATERAL (
    SELECT (least(until, (stretch + 1) * {length}) - greatest(since, stretch * {length})) / 3600::float8 AS hours
) AS part
WHERE floor(since / {length}) {compared} floor(until / {length}) AND hours > 0
GROUP BY 1, 2
"""
# Most workloads end within the hour or day they began in. Taking them apart from the others is several times as quick:
# the planner takes each life for a thousand stretches where it has to spread them out.
_WITHIN_ONE = {"compared": "=", "stretches": "(SELECT floor(since / {length})::bigint)"}
_OVER_SEVERAL = {
    "compared": "<",
    "stretches": "generate_series(floor(since / {length})::bigint, floor(until / {length})::bigint)",
}


def series(workloads: QuerySet[Workload], period: Period, by: str, *, stretch: str) -> list[Point]:
    """What the workloads used in each hour or day (UTC) of the period, for each value of the field `by`.

    `stretch` is a name of STRETCHES. A workload counts in each stretch in which it lived.
    """
    rows = in_period(workloads, period).order_by()
    text, given = rows.values_list(
        "placed_at", "finished_at", "cpu", "memory_bytes", "gpus", by
    ).query.sql_with_params()
    end, length = _end(period), int(STRETCHES[stretch].total_seconds())
    found: dict[tuple[int, Any], Usage] = defaultdict(Usage)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        for part in (_WITHIN_ONE, _OVER_SEVERAL):
            # The only texts put in are the ORM's own and numbers.
            texts = {name: value.format(length=length) for name, value in part.items()}
            statement = _SERIES.format(workloads=text, gib=float(GIB), length=length, **texts)
            cursor.execute(statement, [*given, period.since, end, end])
            for key, number, *numbers in cursor.fetchall():
                found[number, key] += Usage(*numbers)
    in_order = sorted(found.items(), key=lambda item: (item[0][0], str(item[0][1])))
    return [Point(key, datetime.fromtimestamp(number * length, UTC), used) for (number, key), used in in_order]


def rates() -> UsageRates | None:
    """What an hour costs now, None while nobody has set it or it costs nothing."""
    newest = UsageRates.objects.order_by("-pk").first()
    if newest is None or not (newest.cpu_hour or newest.gib_hour or newest.gpu_hour):
        return None
    return newest


def cost(used: Usage, prices: UsageRates) -> float:
    """What it costs at these prices, in their currency."""
    return (
        used.cpu_hours * float(prices.cpu_hour)
        + used.gib_hours * float(prices.gib_hour)
        + used.gpu_hours * float(prices.gpu_hour)
    )


def _end(period: Period) -> datetime:
    return min(period.until, timezone.now())


def _moment(value: datetime) -> Value:
    return Value(value, output_field=DateTimeField())

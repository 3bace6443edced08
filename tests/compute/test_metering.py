"""What workloads used, against a plain computation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from modelwright.compute.metering import NOTHING, Period, Usage, in_period, series, total, usage
from modelwright.compute.models import GIB, Workload
from modelwright.core.ids import new_id

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, tzinfo=UTC)
WORKSPACES = [UUID(int=number) for number in range(1, 4)]


def make(**changes: Any) -> Workload:
    values: dict[str, Any] = {
        "kind": "run",
        "name": "a run",
        "created_by": "ann",
        "cpu": 1.0,
        "memory_bytes": GIB,
        "spec": {"command": ["true"], "environment": {}},
        "placed_at": START,
        "finished_at": START + timedelta(hours=1),
        "state": "succeeded",
    }
    return Workload(**{**values, **changes})


def plainly(workload: Workload, period: Period, now: datetime) -> Usage:
    """The same in plain words: the part of its life in the period, times what it had."""
    if workload.placed_at is None:
        return NOTHING
    since = max(workload.placed_at, period.since)
    until = min(workload.finished_at or now, period.until, now)
    seconds = (until - since).total_seconds()
    # One that ended as it was placed counts as a workload all the same.
    touches = workload.placed_at < min(period.until, now) and (workload.finished_at or now) > period.since
    if not touches:
        return NOTHING
    hours = seconds / 3600
    return Usage(hours * workload.cpu, hours * workload.memory_bytes / GIB, hours * workload.gpus, hours, 1)


def close(found: Usage, expected: Usage, *, seconds: float = 0.001) -> bool:
    """Whether both agree to a fraction of a second of one CPU, GiB, GPU."""
    pairs = zip(
        (found.cpu_hours, found.gib_hours, found.gpu_hours, found.hours),
        (expected.cpu_hours, expected.gib_hours, expected.gpu_hours, expected.hours),
        strict=True,
    )
    return found.workloads == expected.workloads and all(abs(a - b) * 3600 < seconds for a, b in pairs)


moments = st.integers(-100_000_000, 400_000_000).map(lambda ms: START + timedelta(milliseconds=ms))
periods = st.tuples(moments, moments).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Period(*sorted(pair)))


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    placed = draw(st.none() | moments)
    lived = timedelta(milliseconds=draw(st.integers(0, 200_000_000)))
    finished = None if placed is None and draw(st.booleans()) else (placed or START) + lived
    return make(
        kind=draw(st.sampled_from(["run", "replica", "inspection", "environment"])),
        created_by=draw(st.sampled_from(["ann", "bob", "system"])),
        workspace_id=draw(st.none() | st.sampled_from(WORKSPACES)),
        cpu=draw(st.sampled_from([0.25, 1.0, 3.5, 64.0])),
        memory_bytes=draw(st.integers(1, 512 * GIB)),
        gpus=draw(st.integers(0, 8)),
        placed_at=placed,
        finished_at=finished,
    )


@given(st.lists(workloads(), max_size=12), periods)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_usage_is_what_a_plain_computation_says(rows: list[Workload], period: Period) -> None:
    Workload.objects.all().delete()
    for row in rows:
        row.pk = new_id()
    Workload.objects.bulk_create(rows)
    now = timezone.now()
    expected: dict[tuple[Any, ...], Usage] = defaultdict(Usage)
    for row in rows:
        used = plainly(row, period, now)
        if used.workloads:
            expected[(row.workspace_id, row.created_by)] += used
    found = {group.key: group.usage for group in usage(Workload.objects.all(), period, ["workspace_id", "created_by"])}
    assert found.keys() == expected.keys()
    assert all(close(found[key], expected[key]) for key in found)
    assert close(total(Workload.objects.all(), period), added(expected.values()))
    parts: dict[str, Usage] = defaultdict(Usage)
    for stretch in ("hour", "day"):
        for point in series(Workload.objects.all(), period, "kind", stretch=stretch):
            parts[stretch] += point.usage
        assert abs(parts[stretch].cpu_hours - added(expected.values()).cpu_hours) * 3600 < 0.01


def added(usages: Iterable[Usage]) -> Usage:
    return sum(usages, NOTHING)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_a_workload_is_clipped_to_the_period() -> None:
    make(cpu=2.0, memory_bytes=4 * GIB, gpus=1, finished_at=START + hours(10)).save()
    period = Period(START + hours(1), START + hours(4))
    assert total(Workload.objects.all(), period) == Usage(6.0, 12.0, 3.0, 3.0, 1)
    assert total(Workload.objects.all(), Period(START - hours(5), START)) == NOTHING
    assert total(Workload.objects.all(), Period(START + hours(10), START + hours(11))) == NOTHING


def test_a_live_workload_counts_up_to_now() -> None:
    now = timezone.now()
    make(state="running", placed_at=now - hours(2), finished_at=None).save()
    make(state="queued", placed_at=None, finished_at=None).save()
    found = total(Workload.objects.all(), Period(now - hours(24), now + hours(24)))
    assert 2 <= found.cpu_hours < 2.02
    assert found.workloads == 1


def test_what_was_cancelled_in_the_queue_used_nothing() -> None:
    make(state="cancelled", placed_at=None).save()
    assert total(Workload.objects.all(), Period(START - hours(1), START + hours(9))) == NOTHING


def test_days_and_hours_are_those_of_utc() -> None:
    make(placed_at=START + hours(22), finished_at=START + hours(27)).save()
    period = Period(START, START + hours(72))
    days = series(Workload.objects.all(), period, "kind", stretch="day")
    assert [(point.at, point.usage.cpu_hours, point.usage.workloads) for point in days] == [
        (START, 2.0, 1),
        (START + hours(24), 3.0, 1),
    ]


def plan_of(workloads: QuerySet[Workload]) -> str:
    """How PostgreSQL would read them if there were many."""
    text, given = workloads.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {text}", given)
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.parametrize("by", ["workspace_id", "project_id", "created_by", "kind", "host_id", "pk"])
def test_one_index_holds_all_that_metering_reads(by: str) -> None:
    columns = ("placed_at", "finished_at", "cpu", "memory_bytes", "gpus", by)
    rows = in_period(Workload.objects.all(), Period(START, START + hours(1))).values_list(*columns)
    assert "Index Only Scan using workload_usage" in plan_of(rows)

"""Old counts of gateways are kept by the hour, and what charts, budgets and alerts say of them stays the same."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from models.availability import compacting, counts
from models.availability.budget import total
from models.availability.charts import CHARTS, PERIODS, chart
from models.availability.models import AvailabilityMinute
from models.availability.storing import store
from models.endpoints.models import Endpoint
from models.predictions.compacting import DAY, HOUR, MINUTE, floor

pytestmark = pytest.mark.django_db
FOR_EVER = timedelta(days=4000)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The moment of the whole test."""
    at = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: at)
    return at


def fill(endpoint_id: Any, now: datetime, days: int, seed: int = 5) -> None:
    """What two gateways counted in so many days, here and there."""
    draw, begin = random.Random(seed), floor(now, MINUTE)
    made = {}
    for _ in range(days * 30):
        key = (begin - draw.randrange(days * 1440) * MINUTE, draw.choice(("g-1", "g-2")))
        made[key] = AvailabilityMinute(
            endpoint_id=endpoint_id,
            minute=key[0],
            source=key[1],
            answered=draw.randrange(50),
            refused=draw.randrange(3),
            failed=draw.randrange(3),
        )
    AvailabilityMinute.objects.bulk_create(made.values())


def test_charts_budgets_and_sums_are_the_same_afterwards(endpoint: Endpoint, now: datetime) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(availability_target=99.0)
    endpoint.refresh_from_db()
    other = uuid4()
    fill(endpoint.pk, now, 120)
    fill(other, now, 120, seed=6)
    lengths = [HOUR, 3 * DAY, 30 * DAY, FOR_EVER]

    def asked() -> list[Any]:
        found: list[Any] = [chart(endpoint, name, period) for name in CHARTS for period in PERIODS.values()]
        for back in (30, 60, 64, 65, 66, 90, 130):
            since = now - back * DAY - 17 * MINUTE
            found += [counts.steps(endpoint.pk, since, now, step) for step in (HOUR, 6 * HOUR, DAY)]
            found += [counts.steps(endpoint.pk, since, since + length, MINUTE) for length in (HOUR, DAY)]
        return [*found, counts.lately([endpoint.pk, other], lengths, now), counts.counted_until(other)]

    before, rows = asked(), AvailabilityMinute.objects.count()
    assert total(step.counts for step in counts.steps(endpoint.pk, now - 130 * DAY, now, DAY)).requests > 50_000
    recent = set(AvailabilityMinute.objects.filter(minute__gte=now - 65 * DAY).values_list("pk"))
    assert compacting.tick() > 50
    assert asked() == before
    assert recent <= set(AvailabilityMinute.objects.values_list("pk"))
    old = AvailabilityMinute.objects.filter(minute__lt=compacting.first_by_minute())
    assert all((row.minute.minute, row.source) == (0, "") for row in old)
    assert AvailabilityMinute.objects.count() < rows
    assert compacting.tick() == 0


def test_what_is_told_of_a_time_that_is_merged_comes_too_late(endpoint: Endpoint, now: datetime) -> None:
    def told(minute: datetime) -> dict[str, Any]:
        facts = {"endpoint_id": str(endpoint.pk), "source": "g-1", "minute": int(minute.timestamp())}
        return {**facts, "answered": 3, "refused": 0, "failed": 1}

    kept = compacting.first_by_minute()
    store([told(kept), told(kept - MINUTE)])
    assert [row.minute for row in AvailabilityMinute.objects.all()] == [kept]


def test_a_round_that_is_repeated_adds_up(endpoint: Endpoint, now: datetime) -> None:
    hour = floor(now - 90 * DAY, HOUR)
    for source, minute in (("g-1", 1), ("g-2", 1), ("g-1", 59)):
        AvailabilityMinute.objects.create(
            endpoint_id=endpoint.pk, minute=hour + minute * MINUTE, source=source, answered=1, failed=2
        )
        assert compacting.tick() == 1
    (row,) = AvailabilityMinute.objects.all()
    assert (row.minute, row.answered, row.refused, row.failed) == (hour, 3, 0, 6)

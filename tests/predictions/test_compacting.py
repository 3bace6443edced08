"""Old counts are merged by the hour and the day, and nothing that is asked of them changes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from models.endpoints.models import Deployment
from models.predictions import compacting, histogram
from models.predictions.activity import first_of_newest
from models.predictions.compacting import DAY, HOUR, MINUTE, floor
from models.predictions.models import PredictionBucket
from models.predictions.partitions import floor_id
from models.predictions.rates import Rate, buckets_of
from models.predictions.search import Search, _narrowed
from models.predictions.storing import store
from models.predictions.traffic import PERIODS, in_all, traffic
from models.rollouts.figures import requests_of

pytestmark = pytest.mark.django_db
OTHER, NOBODY = UUID(int=5), UUID(int=6)
Window = tuple[datetime, datetime, timedelta]


def fill(deployment: Deployment, days: int, *, a_day: int, seed: int = 3) -> None:
    """Counts of so many days until now: of two versions, one of them in two roles, and of a batch job."""
    draw, now = random.Random(seed), floor(timezone.now(), MINUTE)
    version = deployment.targets.get().model_version_id
    made = {}
    for _ in range(days * a_day):
        minute = now - draw.randrange(days * 1440) * MINUTE
        role = draw.choice(("live", "fallback"))
        batch = draw.random() < 0.1
        key = (deployment.endpoint_id, minute, NOBODY if batch else deployment.pk, draw.choice((version, OTHER)))
        latency = histogram.empty()
        for _ in range(draw.randrange(1, 9)):
            latency[draw.randrange(histogram.COUNTERS)] += 1
        count = sum(latency) + 1
        made[key] = PredictionBucket(
            endpoint_id=key[0],
            minute=minute,
            deployment_id=key[2],
            model_version_id=key[3],
            count=count,
            rows=2 * count,
            errors=1,
            # Halves, whose sum is the same in any order.
            latency=latency,
            latency_sum_ms=draw.randrange(1000) / 2,
            role=role if key[3] == version else "live",
            fallbacks=draw.randrange(2),
        )
    PredictionBucket.objects.bulk_create(made.values())


def windows() -> list[Window]:
    """Times that begin anywhere, in steps of minutes to weeks; some are recent, some reach from one kind to another."""
    now = timezone.now()
    found = [(now - HOUR, now, MINUTE), (now - 7 * DAY, now, 2 * HOUR), (now - 34 * DAY, now, 6 * HOUR)]
    for back in (33, 34, 35, 36, 60, 398, 399, 400, 401, 430):
        since = now - back * DAY - 17 * MINUTE
        found += [(since, since + length, step) for length in (HOUR, DAY, 7 * DAY) for step in (MINUTE, HOUR, DAY)]
        found.append((since, now, DAY))
    return found


def asked(deployment: Deployment) -> list[list[Rate]]:
    """All that is asked of counts, by times."""
    version = deployment.targets.get().model_version_id
    return [
        buckets_of(deployment.endpoint, *window, **only)
        for window in windows()
        for only in ({}, {"role": "fallback"}, {"version": version}, {"deployment": deployment.pk, "version": OTHER})
    ]


def sums() -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Of everything there is, by all but time."""
    found: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for row in PredictionBucket.objects.all():
        key = (row.endpoint_id, row.deployment_id, row.model_version_id, row.role)
        numbers = (row.count, row.rows, row.errors, row.fallbacks, *row.latency, int(2 * row.latency_sum_ms))
        found[key] = tuple(map(sum, zip(numbers, found.get(key, (0,) * len(numbers)), strict=True)))
    return found


def test_charts_and_sums_are_the_same_afterwards(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(deployment, 440, a_day=40)
    now = timezone.now()
    # The same moment for both: between them a minute may begin.
    monkeypatch.setattr(timezone, "now", lambda: now)
    before, all_before, rows = asked(deployment), sums(), PredictionBucket.objects.count()
    version = deployment.targets.get().model_version_id
    requests = requests_of(deployment.endpoint_id, version, [deployment.pk])
    assert sum(rate.count for rates in before for rate in rates) > 10_000
    recent = set(PredictionBucket.objects.filter(minute__gte=now - 35 * DAY).values_list("pk"))
    assert compacting.tick() > 0
    assert asked(deployment) == before
    assert sums() == all_before
    assert requests_of(deployment.endpoint_id, version, [deployment.pk]) == requests
    assert recent <= set(PredictionBucket.objects.values_list("pk")), "what is drawn by the minute stays as it is"
    by_hour = PredictionBucket.objects.filter(minute__lt=now - 36 * DAY, minute__gte=now - 400 * DAY)
    assert all(row.minute.minute < 4 for row in by_hour)
    by_day = PredictionBucket.objects.filter(minute__lt=now - 401 * DAY)
    assert all((row.minute.hour, row.minute.minute < 4) == (0, True) for row in by_day)
    # A day has at most: two versions of the deployment and of the job, one of each in two roles.
    assert 39 * 4 < by_day.count() <= 40 * 6
    assert PredictionBucket.objects.count() < rows
    assert compacting.tick() == 0, "nothing is left to do"


def test_pages_of_old_times_say_the_same(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(deployment, 60, a_day=60)
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    ends = [now - back * DAY for back in (0, 27, 28, 34, 35, 36, 50)]

    def pages() -> list[Any]:
        found: list[Any] = [
            traffic(deployment.endpoint, period, until=end) for period in PERIODS.values() for end in ends
        ]
        return found + [in_all(deployment.endpoint, period, until=end) for period in PERIODS.values() for end in ends]

    before = pages()
    assert compacting.tick() > 0
    assert pages() == before


def test_what_comes_late_is_merged_by_the_next_round(deployment: Deployment, make_record: Any) -> None:
    at = floor(timezone.now() - 50 * DAY, HOUR) + 20 * MINUTE
    for second in range(5):
        store([make_record(at=(at + second * MINUTE).timestamp())])
    assert compacting.tick() == 1
    store([make_record(at=(at + 30 * MINUTE).timestamp()), make_record(at=(at - 20 * MINUTE).timestamp())])
    assert sorted(PredictionBucket.objects.values_list("count", flat=True)) == [1, 6]
    assert compacting.tick() == 1
    (row,) = PredictionBucket.objects.all()
    assert (row.minute, row.count) == (at - 20 * MINUTE, 7)


def test_a_search_looks_as_far_as_it_did(deployment: Deployment) -> None:
    version = deployment.targets.get().model_version_id
    hour = floor(timezone.now() - 50 * DAY, HOUR)
    PredictionBucket.objects.bulk_create(
        PredictionBucket(
            endpoint_id=deployment.endpoint_id,
            minute=hour + minute * MINUTE,
            deployment_id=deployment.pk,
            model_version_id=version,
            count=10,
            rows=10,
            latency=histogram.empty(),
        )
        for minute in (5, 30, 55, 65)
    )
    endpoint, number = deployment.endpoint, deployment.targets.get().model_version.number
    for _ in range(2):
        narrowed = _narrowed(endpoint, Search(version=number))
        assert narrowed.until is not None
        assert narrowed.until > hour + 65 * MINUTE, "the newest is not cut off"
        # At least so many were counted from there on, and all of them before the moment.
        first = first_of_newest(endpoint, 10, before=hour + 2 * HOUR)
        assert first is not None
        assert floor_id(hour) <= first <= floor_id(hour + 65 * MINUTE)
        assert first_of_newest(endpoint, 10, before=hour + 40 * MINUTE) is None
        assert first_of_newest(endpoint, 100, before=hour + 2 * HOUR) is None
        compacting.tick()
    assert PredictionBucket.objects.count() == 2


def test_steps_go_by_utc() -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 8, UTC)
    assert floor(moment, DAY) == datetime(2026, 3, 4, tzinfo=UTC)
    assert floor(moment, HOUR) == datetime(2026, 3, 4, 5, tzinfo=UTC)
    steps = [compacting.step_at(moment, moment + age) for age in (DAY, 33 * DAY, 34 * DAY, 398 * DAY, 399 * DAY)]
    assert steps == [MINUTE, MINUTE, HOUR, HOUR, DAY]

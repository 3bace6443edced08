"""What is older than it is kept goes, whole days at a time; the audit log says how much; the rest stays."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from models.endpoints.models import Deployment, Endpoint
from models.predictions import partitions, retention
from models.predictions.models import Prediction, PredictionBucket
from models.predictions.storing import store
from modelwright.audit.models import AuditEvent
from tests.predictions.test_partitions import id_at

pytestmark = pytest.mark.django_db
TODAY = datetime(2032, 6, 20, 15, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days around one that lies far from all other tests'."""
    monkeypatch.setattr(timezone, "now", lambda: TODAY)
    for back in (3, 0):
        partitions.make_ahead((TODAY - back * DAY).date())


@pytest.fixture
def endpoint(deployment: Deployment) -> Endpoint:
    endpoint: Endpoint = deployment.endpoint
    return endpoint


@pytest.fixture
def put(make_record: Any) -> Callable[..., list[str]]:
    """One prediction at noon of each of so many days back."""
    numbers = itertools.count(1)

    def put(*back: int, **changes: Any) -> list[str]:
        times = [(TODAY - days * DAY).replace(hour=12) for days in back]
        records = [make_record(id=id_at(at, next(numbers)), at=at.timestamp(), **changes) for at in times]
        assert store(records) == len(back)
        return [record["id"] for record in records]

    return put


def left() -> list[str]:
    return [row.pk.hex for row in Prediction.objects.order_by("id")]


def said() -> list[dict[str, Any]]:
    """What the audit log has."""
    return [event.after or {} for event in AuditEvent.objects.filter(action="predictions.deleted").order_by("pk")]


def names() -> set[str]:
    return {part.name for part in partitions.partitions()}


def test_without_a_limit_everything_stays(endpoint: Endpoint, put: Any) -> None:
    put(3, 2, 1, 0)
    retention.tick()
    assert len(left()) == 4


def test_whole_days_go_with_their_partition_and_counts_stay(endpoint: Endpoint, put: Any) -> None:
    Endpoint.objects.update(retention_days=1)
    ids = put(3, 2, 1, 0)
    retention.tick()
    assert left() == ids[2:]
    assert f"predictions_prediction_{TODAY - 3 * DAY:%Y%m%d}" not in names()
    assert f"predictions_prediction_{TODAY - DAY:%Y%m%d}" in names()
    assert sorted(each["partition"] for each in said()) == [
        f"predictions_prediction_{TODAY - back * DAY:%Y%m%d}" for back in (3, 2)
    ]
    assert [(each["deleted"], each["older_than"]) for each in said()] == [(1, "2032-06-19")] * 2
    assert PredictionBucket.objects.count() == 4
    retention.tick()
    assert left() == ids[2:]


def test_what_shares_a_day_with_what_is_kept_goes_in_pieces(
    endpoint: Endpoint, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PIECE_ROWS", 2)
    Endpoint.objects.update(retention_days=1)
    put(*[2] * 5)
    other = put(2, endpoint_id="0" * 31 + "7", key_id=None)
    retention.tick()
    assert left() == other
    assert f"predictions_prediction_{TODAY - 2 * DAY:%Y%m%d}" in names()
    assert [each["deleted"] for each in said()] == [5]


def test_the_default_of_the_installation_holds_where_an_endpoint_says_nothing(
    endpoint: Endpoint, put: Any, settings: Any
) -> None:
    settings.PREDICTION_RETENTION_DAYS = 2
    ids = put(3, 2, 1)
    put(3, endpoint_id="0" * 31 + "7", key_id=None)
    retention.tick()
    assert left() == ids[1:]
    Endpoint.objects.update(retention_days=30)
    settings.PREDICTION_RETENTION_DAYS = 1
    retention.tick()
    assert left() == ids[1:]


def test_what_is_no_endpoints_goes_by_the_default_though_an_endpoint_keeps_longer(
    endpoint: Endpoint, put: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PIECE_ROWS", 2)
    Endpoint.objects.update(retention_days=30)
    kept = put(3, 2)
    for job in "79":
        put(*[3] * 3, endpoint_id="0" * 31 + job, key_id=None)
    retention.tick()
    assert len(left()) == 8
    settings.PREDICTION_RETENTION_DAYS = 2
    kept += put(2, endpoint_id="0" * 31 + "7", key_id=None)
    retention.tick()
    assert left() == kept
    assert [each["deleted"] for each in said()] == [3, 3]


def test_a_row_that_comes_before_its_day_is_dropped_keeps_the_day(
    endpoint: Endpoint, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Endpoint.objects.update(retention_days=1)
    put(2)
    late: list[str] = []
    modes: list[str] = []
    drop_it, hold = retention._drop, partitions.hold

    def come_late(part: partitions.Partition, *more: Any) -> None:
        if part.name.endswith(f"{TODAY - 2 * DAY:%Y%m%d}"):
            late.extend(put(2, endpoint_id="0" * 31 + "7", key_id=None))
        drop_it(part, *more)

    def look(part: partitions.Partition) -> None:
        hold(part)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT mode FROM pg_locks WHERE relation = %s::regclass AND pid = pg_backend_pid()", [part.name]
            )
            modes.extend(mode for (mode,) in cursor.fetchall())

    monkeypatch.setattr(retention, "_drop", come_late)
    monkeypatch.setattr(retention, "hold", look)
    retention.tick()
    assert left() == late != []
    assert "ShareRowExclusiveLock" in modes

"""The table of predictions by day: rows lie where their ids say, and what came before days is as it was."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from models.predictions import partitions
from models.predictions.models import Prediction
from tests.predictions.test_shipping import ship_all, write

pytestmark = pytest.mark.django_db
FAR = datetime(2031, 5, 7, 13, 30, tzinfo=UTC)


def place_of(prediction_id: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM predictions_prediction WHERE id = %s", [prediction_id])
        return str(cursor.fetchone()[0])


def id_at(at: datetime, number: int = 1) -> str:
    return f"{partitions.floor_id(at).int + (7 << 76) + number:032x}"


def test_an_id_says_when_it_was_made(make_record: Any) -> None:
    made = UUID(make_record()["id"])
    assert abs(partitions.time_of(made) - timezone.now()) < timedelta(minutes=1)
    assert partitions.time_of(partitions.floor_id(FAR)) == FAR


def test_days_are_made_ahead_once(make_record: Any, spool: Path) -> None:
    day = f"predictions_prediction_{FAR:%Y%m%d}"
    stray = make_record(id=id_at(FAR))
    write(spool, [stray])
    ship_all(spool)
    assert place_of(stray["id"]) == partitions.REST

    made = partitions.make_ahead(FAR.date())
    assert made[0] == day
    assert len(made) == partitions.DAYS_AHEAD + 1
    assert place_of(stray["id"]) == day
    assert partitions.make_ahead(FAR.date()) == []

    fresh = make_record(id=id_at(FAR, 2))
    write(spool, [fresh, stray], sequence=2)
    ship_all(spool)
    assert place_of(fresh["id"]) == day
    assert Prediction.objects.count() == 2


def test_the_first_partition_holds_everything_before(make_record: Any, spool: Path) -> None:
    parts = partitions.partitions()
    assert parts[0].name == "predictions_prediction_before"
    assert parts[0].start is None
    assert parts[0].ends_at <= timezone.now() + timedelta(days=1)
    old = make_record(id=id_at(datetime(2020, 1, 1, tzinfo=UTC)))
    write(spool, [old])
    ship_all(spool)
    assert place_of(old["id"]) == parts[0].name


def test_a_search_by_time_reads_the_days_in_question_only(make_record: Any) -> None:
    partitions.make_ahead(FAR.date())
    found = Prediction.objects.filter(id__gte=partitions.floor_id(FAR), id__lt=partitions.floor_id(FAR + timedelta(1)))
    plan = found.order_by("-id").explain()
    assert f"predictions_prediction_{FAR:%Y%m%d}" in plan
    assert "predictions_prediction_before" not in plan


def test_the_table_of_the_release_before_becomes_a_partition_as_it_is() -> None:
    migration = importlib.import_module("models.predictions.migrations.0002_partitions")
    tomorrow = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    old, new, beyond = (id_at(at) for at in (FAR.replace(year=2024), timezone.now(), FAR))
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA before; SET LOCAL search_path TO before")
        cursor.execute(
            "CREATE TABLE predictions_prediction "
            "(LIKE public.predictions_prediction INCLUDING DEFAULTS, PRIMARY KEY (id))"
        )
        cursor.execute("CREATE INDEX prediction_of_endpoint ON predictions_prediction (endpoint_id, id DESC)")
        cursor.execute("CREATE INDEX prediction_of_deployment ON predictions_prediction (deployment_id, id DESC)")
        cursor.execute(
            "INSERT INTO predictions_prediction (id, at, endpoint_id, deployment_id, model_version_id, inputs, "
            "outputs, latency_ms, endpoint_name, model_name, key_name) "
            "SELECT id::uuid, now(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '[]', "
            "'[]', 1, '', '', '' FROM unnest(%s::text[]) AS ids(id)",
            [[old, new, beyond]],
        )
        cursor.execute("SELECT pg_relation_filenode('predictions_prediction')")
        file = cursor.fetchone()

        migration.partition(None, SimpleNamespace(connection=connection))

        cursor.execute("SELECT pg_relation_filenode('predictions_prediction_before')")
        assert cursor.fetchone() == file
        cursor.execute("SELECT id::text, tableoid::regclass::text FROM predictions_prediction ORDER BY id")
        before, rest = "predictions_prediction_before", partitions.REST
        assert [(id_.replace("-", ""), place) for id_, place in cursor.fetchall()] == [
            *((old, before), (new, before), (beyond, rest))
        ]
        assert [part.name for part in partitions.partitions()][1:] == [
            f"predictions_prediction_{tomorrow + timedelta(days=number):%Y%m%d}" for number in range(3)
        ]

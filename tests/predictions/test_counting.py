"""What is counted by the minute: each prediction once, and percentiles near the exact ones."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.endpoints.models import Deployment
from models.gateway.spool import read_bodies
from models.predictions import histogram
from models.predictions.models import Prediction, PredictionBucket
from models.predictions.rates import MAX_POINTS, buckets_of
from models.predictions.storing import NoPrediction, store
from tests.predictions.test_shipping import ship_all, write

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_percentiles_are_within_a_step_of_the_exact_ones() -> None:
    draw = random.Random(7)
    values = sorted(draw.lognormvariate(2, 1) for _ in range(5000))
    counts = histogram.empty()
    for value in values:
        counts[histogram.place(value)] += 1
    for share in (0.5, 0.95, 0.99):
        exact = values[int(share * len(values))]
        found = histogram.percentile(counts, share)
        assert found is not None
        assert exact / histogram.STEP < found < exact * histogram.STEP
    assert histogram.percentile(histogram.empty(), 0.5) is None
    slow = histogram.empty()
    slow[histogram.place(1e9)] += 1
    assert histogram.percentile(slow, 0.5) == histogram.BOUNDS_MS[-1]


@pytest.mark.django_db
def test_requests_are_counted_by_minute_and_errors_apart(deployment: Deployment, make_record: Any, spool: Path) -> None:
    at = NOON.timestamp()
    failed = {"status": 502, "outputs": [], "error": {"code": "ValueError", "message": "no"}, "latency_ms": 900.0}
    records = [make_record(at=at + second, latency_ms=10.0, inputs=[{}, {}]) for second in range(10)]
    records += [make_record(at=at + 70, **failed), make_record(at=at + 71, latency_ms=40.0)]
    records.append(make_record(at=at, deployment_id="0" * 31 + "7", latency_ms=0.01))  # of a batch job
    write(spool, records)
    ship_all(spool)
    first, second, third = buckets_of(deployment.endpoint, NOON, NOON + 3 * MINUTE, MINUTE)
    assert (first.at, first.count, first.rows, first.errors, first.mean_ms) == (NOON, 10, 20, 0, 10.0)
    assert first.per_second == pytest.approx(10 / 60)
    assert first.p50_ms == pytest.approx(10.0, rel=0.2)
    assert (second.count, second.errors, second.error_share, second.mean_ms) == (2, 1, 0.5, 40.0)
    assert (third.count, third.p99_ms, third.error_share) == (0, None, None)
    (whole,) = buckets_of(deployment.endpoint, NOON, NOON + 3 * MINUTE, timedelta(hours=1))
    assert (whole.count, whole.rows, whole.errors) == (12, 22, 1)
    stored = Prediction.objects.get(status=502)
    assert (stored.error, stored.outputs, stored.rows) == (failed["error"], [], 1)


@pytest.mark.django_db
def test_one_deployment_or_version_can_be_looked_at(deployment: Deployment, make_record: Any) -> None:
    version = deployment.targets.get().model_version_id
    store([make_record(at=NOON.timestamp())])
    window = (deployment.endpoint, NOON, NOON + MINUTE, MINUTE)
    assert buckets_of(*window, deployment=deployment.pk, version=version)[0].count == 1
    assert buckets_of(*window, deployment=version)[0].count == 0
    assert len(buckets_of(deployment.endpoint, NOON, NOON + 365 * 1440 * MINUTE, MINUTE)) <= MAX_POINTS


@pytest.mark.django_db
def test_what_comes_again_is_stored_and_counted_once(make_record: Any) -> None:
    at = NOON.timestamp()
    records = [make_record(at=at) for _ in range(20)]
    assert store(records[:12]) == 12
    assert store(records) == 8
    assert store([*records, make_record(at=at), *records[:1]]) == 1
    assert Prediction.objects.count() == 21
    assert PredictionBucket.objects.get().count == 21


@pytest.mark.django_db
def test_what_is_no_prediction_costs_the_others_nothing(make_record: Any, spool: Path) -> None:
    good = make_record(protocol="v2", served_by="onnx:ab\tc\\d", trace_id="f" * 32)
    bad = [
        {},
        {"id": "x"},
        make_record(id="zz"),
        make_record(endpoint_id="no"),
        make_record(at="noon"),
        make_record(at=1e99),
    ]
    bad += [make_record(status="x"), make_record(endpoint_id=7), make_record(latency_ms=None)]
    for each in bad:
        with pytest.raises(NoPrediction):
            store([good, each])
    path = write(spool, [*bad, good])
    ship_all(spool)
    row = Prediction.objects.get()
    assert (row.protocol, row.served_by, row.trace_id) == ("v2", "onnx:ab\tc\\d", "f" * 32)
    assert len(list(read_bodies(path.with_name(f"{path.name}.unstorable")))) == len(bad)


@pytest.mark.django_db
def test_names_are_empty_where_nothing_has_the_id(make_record: Any) -> None:
    unknown = "0" * 31 + "1"
    store([make_record(endpoint_id=unknown, deployment_id=unknown, key_id=None)])
    row = Prediction.objects.get()
    assert (row.endpoint_name, row.deployment_number, row.project_id, row.key_id) == ("", None, None, None)
    assert row.version_number == 3

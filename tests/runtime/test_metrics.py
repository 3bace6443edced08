"""Metrics of model code, as it declares and counts them."""

from __future__ import annotations

import pytest
from modelwright_runtime import metrics
from modelwright_runtime.server.vitals import Vitals


@pytest.fixture(autouse=True)
def none_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_metrics", {})


def test_what_is_counted_is_told_with_its_labels() -> None:
    seen = metrics.counter("seen_rows", "Rows.", labels=["region"])
    seen.inc(region="north")
    seen.inc(2, region="north")
    seen.inc(region=5)
    metrics.gauge("drift").set(0.25)
    assert metrics.snapshot() == [
        {
            "name": "seen_rows",
            "kind": "counter",
            "help": "Rows.",
            "series": [{"labels": {"region": "north"}, "value": 3}, {"labels": {"region": "5"}, "value": 1}],
        },
        {"name": "drift", "kind": "gauge", "help": "", "series": [{"labels": {}, "value": 0.25}]},
    ]


def test_a_histogram_counts_by_bucket_and_leaves_out_what_is_no_number() -> None:
    scores = metrics.histogram("score", buckets=(0.5, 1))
    for value in (0.5, 0.6, 7, float("nan")):
        scores.observe(value)
    (told,) = metrics.snapshot()
    assert told["series"] == [{"labels": {}, "bounds": [0.5, 1.0], "counts": [1, 1, 1], "sum": pytest.approx(8.1)}]


def test_the_same_declaration_gives_the_same_metric_and_another_kind_is_refused() -> None:
    assert metrics.counter("rows") is metrics.counter("rows")
    with pytest.raises(ValueError, match="already declared as a counter"):
        metrics.gauge("rows")


@pytest.mark.parametrize("name", ["", "Rows", "1st", "a-b", "a" * 65, 'x"} 1\nother'])
def test_a_name_that_prometheus_could_not_take_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a metric"):
        metrics.counter(name)


def test_a_label_of_the_platform_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be a label"):
        metrics.counter("rows", labels=["endpoint"])


def test_a_counter_never_falls() -> None:
    for amount in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="grows"):
            metrics.counter("rows").inc(amount)


def test_labels_with_ever_new_values_stop_at_a_limit_and_disturb_no_prediction() -> None:
    rows = metrics.counter("rows", labels=["customer"])
    for number in range(metrics.MAX_SERIES * 3):
        rows.inc(customer=number)
    rows.inc(customer=0)
    (told,) = metrics.snapshot()
    assert len(told["series"]) == metrics.MAX_SERIES
    assert told["series"][0]["value"] == 2


def test_a_model_may_declare_so_many_and_no_more() -> None:
    for number in range(metrics.MAX_METRICS):
        metrics.counter(f"metric_{number}")
    with pytest.raises(ValueError, match="one more"):
        metrics.counter("another")


def test_a_server_tells_how_long_its_model_takes_and_what_memory_it_uses() -> None:
    vitals = Vitals()
    vitals.predicted(3, 0.002)
    vitals.predicted(1, 100)
    vitals.failed()
    told = vitals.plain()
    assert (told["rows_predicted"], told["batches"], told["errors"]) == (4, 2, 1)
    assert told["predict"]["counts"][2] == told["predict"]["counts"][-1] == 1
    assert told["memory_bytes"] > 1_000_000

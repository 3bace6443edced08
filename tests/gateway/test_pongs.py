"""What replicas say of themselves, whatever they say."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from models.gateway.exposition import counters_only, merge
from models.gateway.pongs import MAX_LINES, Told, families
from modelwright.core.exposition import render

LABELS = (("endpoint", "acme/wine"), ("model", "wine"), ("version", "2"), ("replica", "r-1"))
HISTOGRAM = {"bounds": [0.1, 1], "counts": [1, 2, 0], "sum": 1.5}


def exposition(*said: Any) -> str:
    """Of replicas that say so, checked by Prometheus' own parser."""
    told = [
        Told((*LABELS[:-1], ("replica", f"r-{number}")), True, orjson.dumps(each)) for number, each in enumerate(said)
    ]
    text = render(families(told)).decode()
    samples = [
        (s.name, tuple(sorted(s.labels.items()))) for f in text_string_to_metric_families(text) for s in f.samples
    ]
    assert len(samples) == len(set(samples))
    return text


def metric(name: Any = "rows", kind: Any = "counter", **more: Any) -> dict[str, Any]:
    return {"metrics": [{"name": name, "kind": kind, "help": "h", "series": [{"labels": {}, "value": 3}], **more}]}


def test_what_a_replica_counts_stands_there_with_endpoint_version_and_replica() -> None:
    said = {"rows_predicted": 7, "batches": 3, "memory_bytes": 100, "predict": HISTOGRAM}
    text = exposition({**said, **metric()})
    labels = 'endpoint="acme/wine",model="wine",version="2",replica="r-0"'
    assert f"modelwright_replica_rows_total{{{labels}}} 7" in text
    assert f'modelwright_replica_predict_seconds_bucket{{{labels},le="+Inf"}} 3' in text
    assert f"modelwright_model_rows_total{{{labels}}} 3" in text
    assert "modelwright_replica_metrics_refused 0" in text


@pytest.mark.parametrize(
    "said",
    [
        metric('x"} 1\nother{a="'),
        metric("Rows"),
        metric("r" * 65),
        metric(kind="summary"),
        metric(kind=["counter"]),
        metric(series=[{"labels": {"endpoint": "acme/other"}, "value": 1}]),
        metric(series=[{"labels": {"a-b": "c"}, "value": 1}]),
        metric(series=[{"labels": {"a": "b"}, "value": 1}] * 2),
        metric(series=[{"labels": {"a": str(n)}, "value": 1} for n in range(101)]),
        metric(series=[{"labels": {}, "value": "3"}]),
        metric(kind="histogram", series=[{"labels": {}, "bounds": [1, 1], "counts": [1, 2, 3], "sum": 0}]),
        metric(kind="histogram", series=[{"labels": {}, "bounds": [1], "counts": [1, -2], "sum": 0}]),
    ],
)
def test_a_metric_that_breaks_a_rule_is_left_out_and_counted(said: dict[str, Any]) -> None:
    text = exposition(said)
    assert "modelwright_model_" not in text
    assert "modelwright_replica_metrics_refused 1" in text


def test_two_models_that_mean_different_things_by_a_name_do_not_break_each_other() -> None:
    text = exposition(metric("size", "gauge"), metric("size", "histogram", series=[{"labels": {}, **HISTOGRAM}]))
    assert text.count("# TYPE modelwright_model_size ") == 1
    text = exposition(metric("size", "histogram", series=[{"labels": {}, **HISTOGRAM}]), metric("size_count", "gauge"))
    assert "modelwright_replica_metrics_refused 1" in text


def test_hostile_label_values_are_escaped() -> None:
    text = exposition(metric(series=[{"labels": {"a": 'x"} 1\ny\\\u2028\x85'}, "value": 1}]))
    assert 'a="x\\"} 1?y\\\\??"' in text
    assert merge([text.encode()]).decode().count("modelwright_model_rows_total{") == 1


def test_one_replica_can_say_only_so_much() -> None:
    bounds = list(range(30))
    series = [{"labels": {"n": str(n)}, "bounds": bounds, "counts": [0] * 31, "sum": 0} for n in range(100)]
    said = [{"name": f"h{n}", "kind": "histogram", "help": "", "series": series[:10]} for n in range(50)]
    assert exposition({"metrics": said}).count("modelwright_model_") < MAX_LINES + 200


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
keys = st.sampled_from(["name", "kind", "series", "labels", "value", "bounds", "counts", "sum", "help"])


@given(
    st.fixed_dictionaries(
        {"rows_predicted": json_values, "predict": json_values, "metrics": st.lists(st.dictionaries(keys, json_values))}
    )
)
def test_whatever_a_replica_says_the_exposition_stays_one(said: Any) -> None:
    assert "modelwright_replica_up{" in exposition(said, metric())


def test_several_gateways_do_not_add_up_what_one_replica_says() -> None:
    one, other = (exposition({"rows_predicted": rows, **metric()}).encode() for rows in (5, 7))
    both = merge([one, other, counters_only(one)]).decode()
    assert 'replica="r-0"} 7\n' in both
    assert 'replica="r-0"} 3\n' in both
    assert counters_only(one).decode().count("modelwright_") == 0

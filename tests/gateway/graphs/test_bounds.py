"""What somebody may write in a graph or a rule cannot keep a gateway from answering others."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from models.gateway.choices import MAX_CHOICES, OneOf
from models.gateway.graphs.graph import GraphError
from models.gateway.graphs.parsing import parse
from models.gateway.graphs.walking import Walk
from models.gateway.rules import compile_rule
from tests.gateway.graphs.graphs import drive

RECORDS = [{"x": number} for number in range(10_000)]


def merged(levels: int) -> dict[str, Any]:
    """Each level merges two that each merge the level below."""
    nodes: dict[str, Any] = {"a0": {"model": "m"}, "b0": {"model": "m", "input": "request"}}
    for level in range(1, levels):
        below = [f"a{level - 1}", f"b{level - 1}"]
        for name in (f"a{level}", f"b{level}"):
            nodes[name] = {"kind": "combiner", "method": "merge", "of": below}
    last = [f"a{levels - 1}", f"b{levels - 1}"]
    nodes["end"] = {"kind": "combiner", "method": "merge", "of": last}
    return {"start": "end", "nodes": nodes}


def found(data: Any) -> str:
    with pytest.raises(GraphError) as caught:
        parse("any", data)
    return str(caught.value)


def test_what_is_merged_again_and_again_is_refused() -> None:
    assert "would be made of" in found(merged(12))
    assert parse("any", merged(5)).nodes["end"].method == "merge"


def test_large_outputs_that_are_merged_fail_the_request_before_they_are_written_anywhere() -> None:
    walk = Walk(parse("any", merged(6)), RECORDS)
    asks, failed = walk.begin(), False
    while asks and not walk.is_over:
        ask = asks.pop()
        asks += walk.answered(ask, [["x" * 200] for _ in ask.indices], None, {})
    failed = walk.failure is not None
    assert failed
    assert walk.failure is not None
    assert "MiB" in walk.failure.message
    kept = sum(len(step.get("outputs", ())) for step in walk.steps)
    assert kept <= 10 * len(RECORDS)


def routed(condition: dict[str, Any], count: int = 1, cases: int = 1) -> dict[str, Any]:
    return {
        "start": "r",
        "nodes": {
            "m": {"model": "m"},
            "r": {
                "kind": "router",
                "cases": [{"when": [{"of": "request", **condition}] * count, "then": "m"}] * cases,
                "otherwise": "m",
            },
        },
    }


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (routed({"column": "x", "one_of": list(range(MAX_CHOICES + 1))}), "list of 1 to"),
        (routed({"column": "x", "one_of": [[1]]}), "list of 1 to"),
        (routed({"column": "x", "below": 1}, count=41), "41 conditions"),
        (routed({"column": "x", "below": 1}, count=10, cases=21), "210 conditions"),
        (routed({"column": "x" * 70_000, "below": 1}), "bytes"),
    ],
)
def test_more_than_can_be_asked_of_each_record_is_refused(data: Any, said: str) -> None:
    assert said in found(data)


def test_the_longest_list_costs_a_request_no_more_than_a_short_one() -> None:
    def seconds(choices: int) -> float:
        graph = parse("any", routed({"column": "x", "one_of": [-1 - number for number in range(choices)]}))
        began = time.process_time()
        drive(graph, RECORDS, lambda _name, _inputs: (1.0, None), random.Random(1))
        return time.process_time() - began

    short, long = min(seconds(1) for _ in range(3)), min(seconds(MAX_CHOICES) for _ in range(3))
    assert long < 3 * short + 0.05


def test_a_rule_with_long_lists_is_as_quick() -> None:
    condition = {"column": "x", "one_of": [-1 - number for number in range(MAX_CHOICES)]}
    rule = compile_rule({"when": [condition] * 10, "then": {"prediction": 1}, "otherwise": {"prediction": 0}})
    began = time.process_time()
    predictions, _ = rule.answers(RECORDS)
    assert time.process_time() - began < 2
    assert set(predictions) == {0}


def test_a_truth_value_is_no_number_and_a_list_is_in_no_list() -> None:
    choices = OneOf([1, "a", 2.5, False])
    assert 1 in choices
    assert 1.0 in choices
    assert "a" in choices
    assert False in choices
    assert True not in choices
    assert 0 not in choices
    assert None not in choices
    assert [1] not in choices


def test_outputs_that_are_nested_too_deeply_are_no_mean() -> None:
    deep: Any = 1.0
    for _ in range(900):
        deep = [deep]
    nodes = {"a": {"model": "m"}, "b": {"model": "m"}, "end": {"kind": "combiner", "method": "mean", "of": ["a", "b"]}}
    walk = Walk(parse("any", {"start": "end", "nodes": nodes}), [{"x": 1}])
    asks = walk.begin()
    while asks and not walk.is_over:
        asks += walk.answered(asks.pop(), [deep], None, {})
    assert walk.failure is not None
    assert walk.failure.code == "cannot_combine"

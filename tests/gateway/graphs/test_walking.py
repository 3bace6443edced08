"""The walker: any valid graph ends, every record is answered once, and by what the graph says."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gateway.graphs.parsing import parse
from models.gateway.graphs.walking import Walk
from tests.gateway.graphs.graphs import XRAY, Failed, Plainly, drive, made_at_random


def number(name: str, inputs: Any) -> tuple[Any, None]:
    """A model: any number between 0 and 1 that depends on nothing but what it is asked."""
    return random.Random(f"{name} {inputs}").random(), None


def records_of(seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [{"x": chance.random()} for _ in range(chance.randint(1, 8))]


@settings(max_examples=500)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_every_record_of_a_request_gets_the_answer_that_it_would_get_alone(seed: int, order: int) -> None:
    graph = parse("any", made_at_random(seed))
    records = records_of(order)
    walk = drive(graph, records, number, random.Random(order))
    assert walk.failure is None
    assert walk.answers == [Plainly(graph, record, number).answer() for record in records]


@settings(max_examples=500)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_a_request_fails_whole_where_a_node_fails_that_a_record_needs_and_else_goes_the_way_for_that(
    seed: int, order: int
) -> None:
    graph = parse("any", made_at_random(seed, with_failures=True))
    records = records_of(order)
    walk = drive(graph, records, number, random.Random(order))
    try:
        expected = [Plainly(graph, record, number).answer() for record in records]
    except Failed:
        assert walk.failure is not None
        return
    assert walk.failure is None
    assert walk.answers == expected


def xray(ill: float, sure: float) -> Any:
    def model(name: str, inputs: Any) -> tuple[Any, dict[str, float] | None]:
        if name == "detect":
            return ("ill" if ill > 0.5 else "well"), {"ill": ill, "well": 1 - ill}
        return (7, {"7": sure, "8": 1 - sure}) if name == "classify" else ([0.5], None)

    return model


@pytest.mark.parametrize(
    ("ill", "sure", "answer", "asked"),
    [
        (0.1, 0.9, {"finding": "none"}, ["scale", "detect", "decide"]),
        (0.3, 0.9, 7, ["scale", "detect", "decide", "classify", "sure"]),
        (0.9, 0.55, {"finding": "ask a human"}, ["scale", "detect", "decide", "classify", "sure"]),
    ],
)
def test_the_two_steps_of_the_documents(ill: float, sure: float, answer: Any, asked: list[str]) -> None:
    walk = drive(parse("xray", XRAY), [{"x": 1}], xray(ill, sure), random.Random(0))
    assert walk.answers == [answer]
    assert [step["node"] for step in walk.steps] == asked


def test_records_that_part_are_on_record_with_their_numbers() -> None:
    def model(name: str, inputs: Any) -> tuple[Any, dict[str, float] | None]:
        ill = inputs[0]["x"] if name == "scale" else inputs[0]
        return (ill, None) if name == "scale" else xray(ill, 0.9)(name, inputs)

    walk = drive(parse("xray", XRAY), [{"x": 0.9}, {"x": 0.1}, {"x": 0.5}], model, random.Random(0))
    assert walk.answers == [7, {"finding": "none"}, 7]
    steps = {step["node"]: step for step in walk.steps}
    assert steps["decide"]["to"] == ["classify", "answer", "classify"]
    assert steps["classify"]["records"] == [0, 2]
    assert steps["sure"]["to"] == ["answer: classify"] * 2
    assert "records" not in steps["detect"]


def test_nodes_that_a_combiner_needs_are_asked_at_the_same_time() -> None:
    data = {
        "start": "all",
        "nodes": {
            "all": {"kind": "combiner", "of": ["a", "b", "c"], "method": "vote"},
            **{name: {"model": name} for name in "abc"},
        },
    }
    walk = Walk(parse("vote", data), [{"x": 1}])
    asks = walk.begin()
    assert sorted(ask.node.name for ask in asks) == ["a", "b", "c"]
    for ask in asks:
        assert walk.answered(ask, ["yes" if ask.node.name != "b" else "no"], None, {}) == []
    assert walk.answers == ["yes"]
    assert walk.chances[0] is not None
    assert dict(walk.chances[0]) == pytest.approx({"yes": 2 / 3, "no": 1 / 3})


def test_a_combiner_goes_on_without_a_node_that_it_may_skip_and_not_without_all() -> None:
    data = {
        "start": "all",
        "nodes": {
            "all": {"kind": "combiner", "of": ["fails", "b"], "method": "first"},
            "fails": {"model": "a", "if_failed": "skip"},
            "b": {"model": "b", "if_failed": "skip"},
        },
    }
    graph = parse("first", data)
    walk = drive(graph, [{"x": 1}], lambda name, _: (name, None), random.Random(0))
    assert walk.answers == ["b"]
    walk = Walk(graph, [{"x": 1}])
    for ask in walk.begin():
        assert walk.failed(ask, "broken", "It is broken.", {}) == []
    assert walk.failure is not None
    assert walk.failure.code == "cannot_combine"
    assert "It is broken." in walk.failure.message


def test_a_router_that_cannot_tell_fails_the_request_and_says_why() -> None:
    walk = drive(parse("xray", XRAY), [{"x": 1}], lambda name, _: ("well", None), random.Random(0))
    assert walk.failure is not None
    assert (walk.failure.node, walk.failure.code) == ("decide", "cannot_route")
    assert "no probabilities" in walk.failure.message
    assert walk.steps[-1]["error"]["code"] == "cannot_route"

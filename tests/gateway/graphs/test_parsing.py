"""Graphs that are none: each mistake is named with what to do about it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gateway.graphs.graph import GraphError
from models.gateway.graphs.parsing import parse
from tests.gateway.graphs.graphs import XRAY

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([*XRAY["nodes"]]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def changed(**nodes: Any) -> dict[str, Any]:
    """The documents' graph with some nodes changed; None takes one away."""
    data = copy.deepcopy(XRAY)
    for name, node in nodes.items():
        if node is None:
            del data["nodes"][name]
        else:
            data["nodes"][name] = {**data["nodes"].get(name, {}), **node}
    return data


def problems(data: Any) -> str:
    with pytest.raises(GraphError) as caught:
        parse("xray", data)
    assert all(problem.message and problem.remedy for problem in caught.value.problems)
    return "\n".join(f"{problem.field}: {problem.message}" for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (changed(sure={"otherwise": "scale"}), "nodes: There is a circle among"),
        (changed(extra={"model": "m"}), "nodes.extra: Nothing leads to it"),
        (changed(classify=None), "There is no node 'classify'"),
        (changed(scale={"then": {"answer": "decide"}}), "decide is a router and has no output"),
        (changed(decide={"cases": []}), "nodes.decide.cases: It is a list [], not a list of cases"),
        (changed(decide={"otherwise": 3}), "nodes.decide.otherwise: It is the number 3"),
        (changed(detect={"model": ""}), "nodes.detect.model: It names no model"),
        (changed(detect={"kind": "oracle"}), 'nodes.detect.kind: text "oracle" is none of model'),
        (changed(detect={"speed": 1}), "nodes.detect.speed: There is no such entry here"),
        (changed(detect={"timeout": "2h"}), "nodes.detect.timeout"),
        (changed(detect={"if_failed": "skip"}), "nodes.detect.if_failed: Not only combiners"),
        (changed(sure={"cases": [{"when": {"confidence": {}}, "then": "x"}]}), "It compares with nothing"),
        (changed(sure={"cases": [{"when": {"luck": 1}, "then": "x"}]}), "It is no condition"),
        (changed(both={"kind": "combiner", "of": ["scale"]}), "nodes.both.of: It combines less than two"),
        ({**XRAY, "start": "nowhere"}, "start: There is no node 'nowhere'"),
        ({"start": "a", "nodes": {}}, "nodes: It has 0 nodes"),
        ([], "not a mapping"),
    ],
)
def test_a_mistake_is_named(data: Any, told: str) -> None:
    assert told in problems(data)


def test_a_condition_of_a_column_is_written_as_in_the_rule_of_a_fallback() -> None:
    data = changed(sure={"on": "request", "cases": [{"when": {"column": "age", "above": 65}, "then": "classify"}]})
    data["nodes"]["sure"]["cases"][0]["then"] = {"answer": {"finding": "ask a human"}}
    (case,) = parse("xray", data).nodes["sure"].cases
    assert (case.when[0].of, case.when[0].what, case.when[0].name) == ("request", "column", "age")
    assert case.when[0].tests == (("above", 65),)


@given(
    st.sampled_from([*XRAY["nodes"]]), st.sampled_from(["then", "on", "cases", "input", "otherwise", "kind"]), VALUES
)
def test_whatever_stands_in_a_node_it_is_a_graph_or_is_refused_with_reasons(name: str, key: str, value: Any) -> None:
    data = copy.deepcopy(XRAY)
    data["nodes"][name][key] = value
    try:
        outcome: Any = parse("xray", data).nodes
    except GraphError as error:
        outcome = error.problems
    assert outcome

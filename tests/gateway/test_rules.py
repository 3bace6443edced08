"""Rules: what they say, and that nothing makes them raise once they are compiled."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gateway.fallbacks import parse_fallback
from models.gateway.rules import COMPARISONS, RuleError, compile_condition, compile_rule

CREDIT: dict[str, Any] = {
    "when": [{"column": "income", "below": 1200}, {"column": "arrears", "above": 2}],
    "then": {"prediction": "refuse"},
    "otherwise": {"prediction": "accept"},
}
VALUES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text("ab", max_size=2)
ANYTHING = st.recursive(VALUES | st.floats(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"income": 1199.5, "arrears": 0}, "refuse"),
        ({"income": 1200, "arrears": 0}, "accept"),
        ({"income": 5000, "arrears": 3}, "refuse"),
        ({"income": None, "arrears": None}, "accept"),
        ({}, "accept"),
        ({"income": "900", "arrears": True}, "accept"),
    ],
)
def test_any_comparison_that_holds_decides(record: dict[str, Any], expected: str) -> None:
    assert compile_rule(CREDIT).answer(record).prediction == expected


def test_with_all_every_comparison_must_hold() -> None:
    rule = compile_rule({**CREDIT, "all": True})
    assert rule.answer({"income": 10, "arrears": 0}).prediction == "accept"
    assert rule.answer({"income": 10, "arrears": 3}).prediction == "refuse"


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ({"at_least": 2}, (2, 2.5), (1, None, "3", True)),
        ({"at_most": "2026-02"}, ("2026-01-31", ""), ("2026-03", 1, None)),
        ({"equals": "b"}, ("b",), ("a", None, 1)),
        ({"equals": 1}, (1, 1.0), (True, None, "1", [1])),
        ({"not_equals": "b"}, ("a", 1), ("b", None)),
        ({"one_of": ["a", 2]}, ("a", 2), ("b", None, True)),
        ({"missing": True}, (None,), (0, "")),
        ({"missing": False}, (0, ""), (None,)),
        ({"above": 1, "below": 3}, (2,), (1, 3, None)),
    ],
)
def test_a_comparison_holds_for_these_values(
    condition: dict[str, Any], holds: tuple[Any, ...], fails: tuple[Any, ...]
) -> None:
    test = compile_condition({"column": "x", **condition})
    assert [value for value in holds if not test({"x": value})] == []
    assert [value for value in fails if test({"x": value})] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {**CREDIT, "when": []},
        {**CREDIT, "when": [{"below": 3}]},
        {**CREDIT, "when": [{"column": "x"}]},
        {**CREDIT, "when": [{"column": "x", "under": 3}]},
        {**CREDIT, "when": [{"column": "x", "below": None}]},
        {**CREDIT, "when": [{"column": "x", "one_of": []}]},
        {**CREDIT, "all": 1},
        {**CREDIT, "code": "import os"},
        {**CREDIT, "then": "refuse"},
        {**CREDIT, "then": {"prediction": 1, "probabilities": {"a": 2}}},
        {**CREDIT, "then": {"prediction": 1, "probabilities": {"a": 0.5}}},
        {**CREDIT, "then": {"prediction": "x" * 100_000}},
        None,
        [],
    ],
)
def test_what_is_no_rule_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(wrong)
    assert len(str(caught.value)) > 10
    with pytest.raises(RuleError):
        parse_fallback({"kind": "rule", "rule": wrong})


CONDITIONS = st.fixed_dictionaries(
    {"column": st.sampled_from("xy")},
    optional={name: VALUES | st.lists(VALUES, max_size=3) for name in COMPARISONS},
)
RULES = st.fixed_dictionaries(
    {
        "when": st.lists(CONDITIONS, max_size=3),
        "then": st.just({"prediction": 1}),
        "otherwise": st.just({"prediction": 0}),
    },
    optional={"all": st.booleans()},
)


@given(RULES, st.lists(st.dictionaries(st.sampled_from("xy"), ANYTHING, max_size=2), min_size=1, max_size=4))
def test_a_rule_that_compiles_answers_any_record_by_its_conditions_alone(
    data: dict[str, Any], records: list[dict[str, Any]]
) -> None:
    try:
        rule = compile_rule(data)
    except RuleError:
        return
    assert rule.digest == compile_rule(orjson.loads(orjson.dumps(data))).digest
    decide = all if data.get("all") else any
    tests = [compile_condition(condition) for condition in data["when"]]
    predictions, probabilities = rule.answers(records)
    assert predictions == [int(decide(test(record) for test in tests)) for record in records]
    assert probabilities is None


@given(ANYTHING)
def test_anything_else_is_a_rule_error_or_a_rule(data: Any) -> None:
    for wrapped in (data, {"kind": "rule", "rule": data}, {"kind": data}):
        try:
            parse_fallback(wrapped)
        except RuleError as error:
            assert str(error)  # noqa: PT017 - nothing else may be raised

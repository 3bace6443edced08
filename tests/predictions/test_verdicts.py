"""Whether an answer came again."""

from __future__ import annotations

from typing import Any

import pytest

from models.predictions.reexecution import answer_of
from models.predictions.verdicts import Answer, compare


@pytest.mark.parametrize(
    ("recorded", "now"),
    [
        ([1, "a", None, True, [1.5], {"x": 2}], [1, "a", None, True, [1.5], {"x": 2}]),
        ([1, 1e17], [1.0, 10**17]),
        ([], []),
    ],
)
def test_identical_answers_are_the_same_digit_for_digit(recorded: Any, now: Any) -> None:
    verdict = compare(Answer(recorded, None), Answer(now, [0.5] * len(now)))
    assert verdict.is_same
    assert verdict.difference is None
    assert "digit for digit" in verdict.detail


def test_rounding_is_the_same_and_says_how_much() -> None:
    recorded = Answer(["a"], [{"a": 0.1 + 0.2, "b": 0.7}])
    verdict = compare(recorded, Answer(["a"], [{"a": 0.3, "b": 0.7}]))
    assert verdict.is_same
    assert "at most 1.9e-16 of their size" in verdict.detail


@pytest.mark.parametrize(
    ("recorded", "now", "words"),
    [
        ([1.0, 2.0], [1.0, 2.00001], "1 of 2 records"),
        (["a"], ["b"], "the output was 'a' and is 'b'"),
        ([1], [True], "was 1 and is True"),
        ([1], ["1"], "was 1 and is '1'"),
        ([None], [0], "was None and is 0"),
        ([[1, 2]], [[1, 2, 3]], "was [1, 2]"),
        ([{"x": 1}], [{"x": 1, "y": 2}], "the output of y"),
        ([0.0], [1e-300], "1 of 1"),
        ([1], [1, 2], "2 outputs now, and 1 on record"),
        ([1], [float("nan")], "is nan"),
        ([float("nan")], [0], "is 0"),
        ([0.0], [float("inf")], "is inf"),
        ([1.5], [10**400], "is 1000"),
        ([10**400], [-(10**400)], "1 of 1"),
        ([1e308], [-1e308], "1 of 1"),
        ([0.0, 1.0], [float("nan"), 2.0], "Numbers differ by up to 0.5 of their size."),
    ],
)
def test_another_answer_is_told_with_what_differs(recorded: Any, now: Any, words: str) -> None:
    verdict = compare(Answer(recorded, None), Answer(now, None))
    assert not verdict.is_same
    assert words in verdict.detail


def test_what_no_double_holds_has_no_size_of_its_difference() -> None:
    verdict = compare(Answer([1.5, 2**60], None), Answer([10**400, 2**60 + 1], None))
    assert verdict.difference is not None
    assert (verdict.difference["records"], verdict.difference["largest_absolute"]) == (1, None)
    assert verdict.difference["examples"][0]["relative"] is None


def test_probabilities_that_are_gone_are_a_difference_and_examples_are_few() -> None:
    gone = compare(Answer(["a"], [{"a": 1.0}]), Answer(["a"], None))
    assert "the probability was {'a': 1.0} and is None" in gone.detail
    many = compare(Answer([0.0] * 100, None), Answer([1.0] * 100, None))
    assert many.difference is not None
    assert (many.difference["records"], len(many.difference["examples"])) == (100, 20)
    assert (many.difference["largest_absolute"], many.difference["largest_relative"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {"predictions": 1},
        {"predictions": [1], "probabilities": [[1]]},
        {"predictions": [1], "probabilities": [], "classes": []},
        {"predictions": [1], "probabilities": [[0.1]], "classes": ["a", "b"]},
    ],
)
def test_what_is_no_answer_is_refused(payload: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        answer_of(payload)

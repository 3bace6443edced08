"""From rows to a report, and from a report to an outcome."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from models.replays.comparing import UNKNOWN, Kind, Row, kind_of, mark
from models.replays.judging import latency_of, reasons_to_fail, report_of
from models.replays.segments import put_into_segments

THRESHOLDS: dict[str, Any] = {
    "max_flip_rate": 0.05,
    "max_segment_flip_rate": 0.25,
    "max_error_rate": 0.0,
    "max_metric_drop": 0.01,
    "max_latency_factor": None,
    "min_rows": 30,
}


def row(number: int, before: Any, after: Any = UNKNOWN, truth: Any = UNKNOWN, **values: Any) -> Row:
    """A record; its scores are of two classes where the answers are `yes` and `no`."""
    old, new = (_scores(answer) for answer in (before, after))
    return Row(UUID(int=number), 0, values, before, after, old, new, truth=truth)


def _scores(answer: Any) -> dict[str, Any] | None:
    if answer not in ("yes", "no"):
        return None
    return {"yes": 0.8, "no": 0.2} if answer == "yes" else {"yes": 0.3, "no": 0.7}


def report(rows: list[Row], tolerance: float = 0.01) -> dict[str, Any]:
    kind = kind_of(rows)
    mark(rows, kind, tolerance)
    put_into_segments(rows)
    return report_of(rows, kind, {"candidate": None, "base": None, "factor": None})


def test_equal_answers_pass() -> None:
    found = report([row(n, "yes", "yes", region="north") for n in range(40)])
    assert (found["kind"], found["rows"], found["flips"]["rows"]) == ("class", 40, 0)
    assert found["flips"]["high"] == pytest.approx(0.0876, abs=1e-4)
    assert (found["segments"], found["truth"]) == ([], None)
    assert reasons_to_fail(found, THRESHOLDS) == []


def test_flips_of_one_segment_stand_out_and_fail() -> None:
    rows = [row(n, "yes", "no" if n % 4 == 0 else "yes", region="north" if n % 4 == 0 else "south") for n in range(200)]
    found = report(rows)
    first = found["segments"][0]
    assert (first["column"], first["segment"], first["rows"], first["flips"]) == ("region", "north", 50, 50)
    assert first["stands_out"]
    assert first["difference_low"] > 0.8
    answers = {each["answer"]: each for each in found["answers"]}
    assert (answers["yes"]["before"], answers["yes"]["after"], answers["yes"]["difference"]) == (200, 150, -0.25)
    assert answers["no"]["low"] > 0
    reasons = reasons_to_fail(found, THRESHOLDS)
    assert len(reasons) == 2
    assert "25 % of the records (50) are answered otherwise, and at most 5 % may." in reasons[0]
    assert "region = north" in reasons[1]


def test_of_many_segments_one_must_be_surer_before_it_fails() -> None:
    """17 of 40 are surely beyond 25 % where one segment alone is looked at; of 13, one comes to so many by luck."""
    rows = [row(n, "yes", "no" if n % 20 == 0 and n < 340 else "yes", region=f"r{n % 20}") for n in range(800)]
    found = report(rows)
    worst = found["segments"][0]
    assert (worst["segment"], worst["rows"], worst["flips"], len(found["segments"])) == ("r0", 40, 17, 13)
    assert worst["low"] > THRESHOLDS["max_segment_flip_rate"] > worst["surely"] > 0.2
    assert reasons_to_fail(found, THRESHOLDS) == []


def test_a_worse_candidate_fails_by_truth_even_with_few_flips() -> None:
    rows = [row(n, "yes", "no" if n < 4 else "yes", truth="yes" if n % 2 == 0 or n < 4 else "no") for n in range(100)]
    found = report(rows)
    truth = found["truth"]
    assert (truth["rows"], truth["better"], truth["worse"]) == (100, 0, 4)
    assert (truth["before"], truth["after"]) == (pytest.approx(0.52), pytest.approx(0.48))
    assert truth["auc"]["positive"] == "yes"
    assert truth["auc"]["after"] < truth["auc"]["before"]
    (reason,) = reasons_to_fail(found, THRESHOLDS)
    assert "Accuracy is 48 % instead of 52 %" in reason


def test_what_the_candidate_cannot_answer_is_an_error_and_no_flip() -> None:
    rows = [row(n, "yes", "yes") for n in range(40)] + [row(99, "yes")]
    found = report(rows)
    assert (found["answered"], found["errors"]["rows"], found["flips"]["rows"]) == (40, 1, 0)
    (reason,) = reasons_to_fail(found, THRESHOLDS)
    assert "cannot be answered by the candidate" in reason


def test_numbers_are_another_answer_beyond_their_tolerance() -> None:
    rows = [row(n, 100.0, 100.5 if n < 38 else 110.0, truth=100.0) for n in range(40)]
    found = report(rows)
    assert (found["kind"], found["flips"]["rows"], found["answers"]) == ("number", 2, [])
    assert found["numbers"]["largest"] == 10.0
    assert found["truth"]["measure"] == "mean absolute error"
    assert (found["truth"]["before"], found["truth"]["worse"]) == (0.0, 40)
    assert any("mean absolute error is 0.975 instead of 0" in reason for reason in reasons_to_fail(found, THRESHOLDS))


def test_values_are_compared_part_by_part() -> None:
    rows = [row(1, {"a": 1.0, "b": [1]}, {"a": 1.0 + 1e-12, "b": [1]}), row(2, {"a": 1.0}, {"a": 2.0})]
    assert kind_of(rows) is Kind.VALUE
    assert report(rows)["flips"]["rows"] == 1


def test_too_few_records_do_not_pass() -> None:
    (reason,) = reasons_to_fail(report([row(1, "yes", "yes")]), THRESHOLDS)
    assert reason == "Only 1 records could be replayed, and 30 are wanted."


def test_a_slow_candidate_fails_where_that_is_judged() -> None:
    found = report([row(n, "yes", "yes") for n in range(40)])
    found["latency"]["factor"] = 4.0
    assert reasons_to_fail(found, THRESHOLDS) == []
    (reason,) = reasons_to_fail(found, {**THRESHOLDS, "max_latency_factor": 2.0})
    assert "4 times as long" in reason
    found["latency"] |= {"factor": None, "note": "No request was answered by both versions."}
    assert reasons_to_fail(found, THRESHOLDS) == []
    (reason,) = reasons_to_fail(found, {**THRESHOLDS, "max_latency_factor": 2.0})
    assert reason == "How long a request takes could not be judged. No request was answered by both versions."
    assert latency_of([]) is None
    assert latency_of([float(n) for n in range(100)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "requests": 100}


def test_segments_are_values_quarters_and_what_is_missing_and_no_identifiers() -> None:
    rows = [
        row(
            n, "yes", "yes", age=float(n), kind="ab"[n % 2], name=f"person {n}", note=None if n < 10 else "x", parts=[n]
        )
        for n in range(40)
    ]
    put_into_segments(rows)
    assert rows[0].segments == {"age": "0 to 9.75", "kind": "a", "note": "missing"}
    assert {each.segments["age"] for each in rows} == {"0 to 9.75", "9.75 to 19.5", "19.5 to 29.25", "29.25 to 39"}
    assert {each.segments["note"] for each in rows} == {"missing", "x"}
    narrowed = [row(n, "yes", "yes", a=n % 2, b=n % 3) for n in range(12)]
    put_into_segments(narrowed, ["b"])
    assert set(narrowed[0].segments) == {"b"}

"""What the scoring program makes of rows, without a model: checks, ids, parts, and one file of them."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from modelwright_runtime.scoring import outputs
from modelwright_runtime.scoring.checking import Checker, Mismatch
from modelwright_runtime.scoring.errors import ScoringError
from modelwright_runtime.scoring.files import CsvSource
from modelwright_runtime.scoring.ids import prediction_id
from modelwright_runtime.scoring.predicting import MOST_FAILURES, Scored, predict
from modelwright_runtime.server.results import Outcome


def checker(kind: str, *, required: bool = True, is_text: bool = True, redacted: Sequence[str] = ()) -> Checker:
    inputs = [{"name": "x", "type": kind, "required": required}]
    return Checker(inputs, ["x", "id"], ["id"], is_text=is_text, redacted=redacted)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("long", "3", 3),
        ("long", "3.0", 3),
        ("integer", "-7", -7),
        ("double", "1e3", 1000.0),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("string", "", ""),
        ("string", "NA", "NA"),
        ("datetime", "2026-11-27T06:00:00Z", "2026-11-27T06:00:00Z"),
        ("binary", "aGk=", "aGk="),
        ("array", "[1, 2]", [1, 2]),
    ],
)
def test_a_text_becomes_what_the_model_takes(kind: str, given: str, value: Any) -> None:
    assert checker(kind).row({"x": given, "id": "1"}) == [value]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("long", "3.5"),
        ("long", "9" * 19 + "9"),
        ("integer", "2147483648"),
        ("double", "inf"),
        ("double", "a"),
        ("boolean", "maybe"),
        ("datetime", "yesterday"),
        ("datetime", "9999-12-31"),
        ("datetime", "0001-01-01T00:00:00+10:00"),
        ("binary", "no base64!"),
        ("long", ""),
        ("double", "NaN"),
    ],
)
def test_a_text_that_does_not_fit_says_why(kind: str, given: str) -> None:
    with pytest.raises(Mismatch, match=r"^x: "):
        checker(kind).row({"x": given})


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("long", decimal.Decimal(4), 4),
        ("double", decimal.Decimal("1.5"), 1.5),
        ("double", 3, 3.0),
        ("string", UUID(int=1), str(UUID(int=1))),
        ("datetime", datetime.date(2026, 1, 2), "2026-01-02"),
        ("datetime", datetime.date(2262, 4, 11), "2262-04-11"),
        ("binary", b"hi", "aGk="),
    ],
)
def test_a_value_of_a_table_becomes_what_the_model_takes(kind: str, given: Any, value: Any) -> None:
    assert checker(kind, is_text=False).row({"x": given}) == [value]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("long", True),
        ("string", 5),
        ("double", "1"),
        ("boolean", 2.5),
        ("datetime", datetime.date(9999, 12, 31)),
        ("datetime", datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)),
    ],
)
def test_a_value_of_another_type_does_not_fit(kind: str, given: Any) -> None:
    if (kind, given) == ("double", "1"):
        assert checker(kind, is_text=False).row({"x": given}) == [1.0]
        return
    with pytest.raises(Mismatch):
        checker(kind, is_text=False).row({"x": given})


def test_a_value_that_may_be_missing_is_nothing() -> None:
    for given in ("", "NA", "null"):
        assert checker("double", required=False).row({"x": given}) == [None]
    assert checker("double", required=False, is_text=False).row({"x": float("nan")}) == [None]


def test_values_that_are_redacted_stand_in_no_words() -> None:
    with pytest.raises(Mismatch) as found:
        checker("long", redacted=["x"]).row({"x": "secret"})
    assert "secret" not in str(found.value)


def test_missing_columns_end_the_job_and_are_named() -> None:
    inputs = [{"name": name, "type": "double", "required": True} for name in ("a", "b")]
    with pytest.raises(ScoringError, match=r"lacks the columns a, b, which the model needs\. It has x, id\."):
        Checker(inputs, ["x", "id"], [], is_text=True)
    with pytest.raises(ScoringError, match="lacks the column key, which the job names as keys"):
        Checker(None, ["x", "id"], ["key"], is_text=True)
    assert Checker(None, ["x", "id"], ["id"], is_text=True).names == ["x"]


def test_a_column_that_may_be_missing_goes_to_the_model_with_nothing_in_it() -> None:
    inputs = [{"name": name, "type": "double", "required": name == "a"} for name in ("b", "a")]
    for is_text, given in ((True, "1"), (False, 1)):
        made = Checker(inputs, ["a", "id"], ["id"], is_text=is_text)
        assert (made.names, made.row({"a": given, "id": "1"})) == (["b", "a"], [None, 1.0])


def test_ids_are_sorted_by_row_and_the_same_whoever_computes_them() -> None:
    job = uuid4()
    ids = [prediction_id(job, 1_764_000_000_000, row) for row in (1, 2, 3, 4096, 10**9, 10**11)]
    assert ids == sorted(ids)
    assert {(each.version, each.variant, each.int >> 80) for each in ids} == {(7, ids[0].variant, 1_764_000_000_000)}
    assert ids[0] == prediction_id(job, 1_764_000_000_000, 1)
    assert ids[0] != prediction_id(uuid4(), 1_764_000_000_000, 1)


class Moody:
    """Cannot take a row whose value is negative."""

    calls = 0

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        self.calls += 1
        if any(row[0] < 0 for row in rows):
            raise SystemExit("negative")
        return Outcome([row[0] * 2 for row in rows])


def test_a_row_that_the_model_cannot_take_fails_alone() -> None:
    scored = Scored()
    predict(Moody(), ["x"], [(place, [-1 if place == 5 else place]) for place in range(16)], scored)
    assert set(scored.errors) == {5}
    assert scored.errors[5] == ("model_error", "The model could not predict this row: SystemExit: negative")
    assert scored.predictions == {place: place * 2 for place in range(16) if place != 5}


def test_a_model_that_fails_on_most_rows_ends_the_job_soon() -> None:
    model = Moody()
    with pytest.raises(ScoringError, match="SystemExit: negative"):
        predict(model, ["x"], [(place, [-1]) for place in range(5000)], Scored())
    assert model.calls < 4 * MOST_FAILURES


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_bytes('﻿id;text\n1;"a\nb"\n2;c\n\n3;d;e\n4\n'.encode())
    return path


def test_csv_is_read_in_chunks_with_its_own_separator(csv_file: Path) -> None:
    source = CsvSource(csv_file)
    assert (source.columns, source.count()) == (["id", "text"], 4)
    first, second = source.chunks(2, skip=0, after="")
    assert first.rows == [{"id": "1", "text": "a\nb"}, {"id": "2", "text": "c"}]
    assert second.broken == {
        0: "The line has 3 cells, and the first line names 2.",
        1: "The line has 1 cells, and the first line names 2.",
    }
    assert next(source.chunks(5, skip=1, after="")).rows[0]["id"] == "2"


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"a,a\n1,2\n", "more than one column called a"), (b"a\n\xff\n", "UTF-8")]
)
def test_csv_that_is_none_says_why(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(ScoringError, match=said):
        list(CsvSource(path).chunks(10, skip=0, after=""))


def part(path: Path, rows: list[int], classes: list[str] | None) -> Path:
    shares: list[Any] = [[0.5, 0.5] if classes else None for _ in rows]
    columns = outputs.columns_of(
        {"row": ["k"] * len(rows)}, rows, ["a,b"] * len(rows), shares, classes, ["i"] * len(rows), [None] * len(rows)
    )
    path.write_bytes(outputs.csv_part(columns))
    return path


def test_a_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(tmp_path: Path) -> None:
    evil, names = "=HYPERLINK(1)", ["+1-2", "-7", "-1.5e3", "a"]
    columns = outputs.columns_of(
        {"@key": names}, [1, 2, 3, 4], [evil, -3, -0.5, ["=x"]], [None] * 4, None, ["i"] * 4, ["\tx", None, None, None]
    )
    (tmp_path / "0").write_bytes(outputs.csv_part(columns))
    outputs.join_csv([tmp_path / "0"], tmp_path / "all")
    assert (tmp_path / "all").read_text() == (
        "'@key,row,prediction,prediction_id,error\n"
        "'+1-2,1,'=HYPERLINK(1),i,'\tx\n"
        "-7,2,-3,i,\n"
        "-1.5e3,3,-0.5,i,\n"
        'a,4,"[""=x""]",i,\n'
    )


def test_parts_of_which_the_first_knew_no_probabilities_are_one_file(tmp_path: Path) -> None:
    parts = [part(tmp_path / "0", [1], None), part(tmp_path / "1", [2, 3], ["x", "y"])]
    outputs.join_csv(parts, tmp_path / "all")
    assert (tmp_path / "all").read_text() == (
        "row_key,row,prediction,probability_x,probability_y,prediction_id,error\n"
        'k,1,"a,b",,,i,\n'
        'k,2,"a,b",0.5,0.5,i,\n'
        'k,3,"a,b",0.5,0.5,i,\n'
    )

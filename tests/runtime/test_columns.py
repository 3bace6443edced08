"""Rows of JSON values as the columns of a table."""

from __future__ import annotations

from typing import Any

import pandas
import pytest
from modelwright_runtime.server.columns import Column, FrameBuilder

NOON, HALF = pandas.Timestamp("2026-01-31T12:00:00"), pandas.Timestamp("2026-01-31T12:00:00.5")


def moments(values: list[str | None]) -> Any:
    return FrameBuilder([Column("at", "datetime", False)]).build(["at"], [[value] for value in values])["at"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-01-31T12:00:00.5", "2026-01-31T12:00:00"], [HALF, NOON]),
        (["2026-01-31", None, "2026-01-31 12:00"], [NOON.normalize(), pandas.NaT, NOON]),
        (["20260131T120000", "2026-W05-6"], [NOON, NOON.normalize()]),
        (["2026-01-31T12:00:00Z", "2026-01-31T12:00:00"], [NOON, NOON]),
        (["2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00.5Z"], [NOON, HALF]),
        ([None], [pandas.NaT]),
        (["2262-04-11T23:47:16.854774"], [pandas.Timestamp("2262-04-11T23:47:16.854774")]),
    ],
)
def test_moments_are_in_utc_and_of_one_dtype_however_each_is_written(
    values: list[str | None], expected: list[Any]
) -> None:
    assert moments(values).equals(pandas.Series(expected, name="at", dtype="datetime64[ns]"))
    assert moments(values).dtype == "datetime64[ns]"


def test_a_moment_that_nanoseconds_do_not_hold_is_an_error() -> None:
    with pytest.raises(ValueError, match="9999"):
        moments(["2026-01-31", "9999-01-01"])


def test_what_is_no_moment_is_an_error() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        moments(["2026-01-31", "yesterday evening"])


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ({"type": "array", "items": {"type": "double"}}, [1, 2.5, None], [1.0, 2.5, None]),
        ({"type": "array", "items": {"type": "long"}}, [1, 2], [1, 2]),
        ({"type": "array", "items": {"type": "array", "items": {"type": "float"}}}, [[1], []], [[1.0], []]),
        ({"type": "map", "values": {"type": "double"}}, {"a": 1, "b": None}, {"a": 1.0, "b": None}),
        (
            {"type": "object", "properties": {"price": {"type": "double"}, "count": {"type": "long"}}},
            {"price": 1, "count": 2},
            {"price": 1.0, "count": 2},
        ),
        ({"type": "sparkml_vector"}, [1], [1.0]),
        ({"type": "any"}, [1], [1]),
    ],
)
def test_numbers_with_decimals_are_floats_wherever_they_are(spec: dict[str, Any], value: Any, expected: Any) -> None:
    builder = FrameBuilder([Column("x", spec["type"], True, spec)])
    (cell,) = builder.build(["x"], [[value]])["x"]
    assert repr(cell) == repr(expected)

"""Rows of JSON values as the columns of a table."""

from __future__ import annotations

from typing import Any

import pandas
import pytest
from modelwright_runtime.server.columns import Column, FrameBuilder

NOON, HALF = pandas.Timestamp("2026-01-31T12:00:00"), pandas.Timestamp("2026-01-31T12:00:00.5")
UTC_NOON = NOON.tz_localize("UTC")


def moments(values: list[str | None]) -> Any:
    return FrameBuilder([Column("at", "datetime", False)]).build(["at"], [[value] for value in values])["at"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-01-31T12:00:00.5", "2026-01-31T12:00:00"], [HALF, NOON]),
        (["2026-01-31", None, "2026-01-31 12:00"], [NOON.normalize(), pandas.NaT, NOON]),
        (["20260131T120000", "2026-W05-6"], [NOON, NOON.normalize()]),
        (["2026-01-31T12:00:00Z", "2026-01-31T12:00:00"], [UTC_NOON, UTC_NOON]),
        (["2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00.5Z"], [UTC_NOON, HALF.tz_localize("UTC")]),
    ],
)
def test_moments_make_one_column_however_each_is_written(values: list[str | None], expected: list[Any]) -> None:
    assert moments(values).equals(pandas.Series(expected, name="at", dtype=moments(values).dtype))
    assert moments(values).dtype.kind == "M"


@pytest.mark.parametrize("value", ["2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00Z"])
def test_a_moment_is_the_same_whatever_stands_beside_it(value: str) -> None:
    alone, beside = moments([value]), moments([value, "2026-01-31T07:00:00-05:00"])
    assert (alone[0], alone.dtype) == (beside[0], beside.dtype)
    assert alone[0].hour == beside[0].hour == 12


def test_what_is_no_moment_is_an_error() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        moments(["2026-01-31", "yesterday evening"])

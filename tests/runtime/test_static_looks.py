"""What narwhals asks of tables is remembered by their classes, and answered as before."""

from __future__ import annotations

import inspect
from typing import Any

import narwhals._utils as narwhals_utils
import narwhals.stable.v2.dependencies as kinds
import numpy as np
import pandas as pd
import pytest
from modelwright_runtime.server.formats import static_looks
from modelwright_runtime.server.formats.static_looks import Remembered, RememberedKind
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NAMES = (
    "__narwhals_dataframe__",
    "__narwhals_series__",
    "__dataframe__",
    "__arrow_c_stream__",
    "columns",
    "shape",
    "x",
)
KINDS = ("is_into_dataframe", "is_into_series")


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Any:
    """narwhals' own look, which the end of the test puts back with its questions about kinds."""
    original = narwhals_utils._hasattr_static  # type: ignore[attr-defined, unused-ignore]
    monkeypatch.setattr(narwhals_utils, "_hasattr_static", original)
    for name in KINDS:
        monkeypatch.setattr(kinds, name, getattr(kinds, name))
    return original


def test_it_answers_as_the_look_that_it_replaces(look: Any) -> None:
    class Table(pd.DataFrame):  # type: ignore[misc]
        __narwhals_dataframe__ = True

    class Narrow(Table):
        pass

    class Eager:
        def __getattr__(self, name: str) -> str:
            raise AssertionError(f"{name} was asked for, which runs what the object likes to run")

    marked = pd.Series([1])
    object.__setattr__(marked, "x", 1)
    frame = pd.DataFrame({"columns": [1], "x": [2]})
    narwhals_frame: Any = __import__("narwhals").from_native(frame)
    things: list[Any] = [frame, frame["x"], marked, np.zeros(2), narwhals_frame, narwhals_frame._compliant_frame]
    things += [Table(), Eager(), pd.DataFrame, Table, Narrow, Narrow(), 3, None, "text"]
    remembered = Remembered(look)
    for _ in range(2):
        assert [[remembered(thing, name) for name in NAMES] for thing in things] == [
            [look(thing, name) for name in NAMES] for thing in things
        ]


@pytest.mark.parametrize("name", KINDS)
def test_what_is_a_table_or_a_column_stays_one(look: Any, name: str) -> None:
    class Table(pd.DataFrame):  # type: ignore[misc]
        pass

    class Own:
        def __narwhals_dataframe__(self) -> Any:
            return self

        __narwhals_series__ = __narwhals_dataframe__

    frame, marked = pd.DataFrame({"x": [2]}), pd.Series([1])
    object.__setattr__(marked, "__narwhals_dataframe__", lambda: marked)
    narwhals_frame: Any = __import__("narwhals.stable.v2").stable.v2.from_native(frame)
    things: list[Any] = [frame, frame["x"], marked, frame.index, np.zeros(2), [1], {"x": [2]}, narwhals_frame, Table()]
    things += [Own(), Own, pd.DataFrame, Table, narwhals_frame["x"], 3, None, "text"]
    asked = getattr(kinds, name)
    for order in (things, things[::-1]):
        remembered = RememberedKind(asked)
        for _ in range(2):
            assert [remembered(thing) for thing in order] == [asked(thing) for thing in order]


def test_a_pipeline_answers_the_same_and_no_table_is_looked_through_twice(
    look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.DataFrame({"plan": ["a", "b", "c", "a"], "months": [1.0, 2.0, 3.0, 40.0]})
    columns = ColumnTransformer([("plan", OneHotEncoder(), ["plan"]), ("months", StandardScaler(), ["months"])])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(table, [0, 1, 1, 0])
    before = pipeline.predict_proba(table)
    looks: list[type] = []

    def counted(thing: Any, *rest: Any) -> Any:
        looks.append(type(thing))
        return inspect.getattr_static(thing, *rest)

    monkeypatch.setattr(narwhals_utils, "getattr_static", counted)
    pipeline.predict_proba(table)
    assert pd.DataFrame in looks, "narwhals looks in another way now: static_looks.py may go"
    static_looks.remember()
    static_looks.remember()
    assert isinstance(narwhals_utils._hasattr_static, Remembered)  # type: ignore[attr-defined, unused-ignore]
    assert narwhals_utils._hasattr_static._look is look  # type: ignore[attr-defined, unused-ignore]
    looks.clear()
    np.testing.assert_array_equal(pipeline.predict_proba(table), before)
    assert not looks
    monkeypatch.setattr(kinds, "_is_native_dataframe", counted)
    monkeypatch.setattr(kinds, "_is_native_series", counted)
    np.testing.assert_array_equal(pipeline.predict_proba(table), before)
    assert not looks

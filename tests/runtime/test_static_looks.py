"""What narwhals asks of tables is remembered by their classes, and answered as before."""

from __future__ import annotations

import inspect
from typing import Any

import narwhals._utils as narwhals_utils
import numpy as np
import pandas as pd
import pytest
from modelwright_runtime.server.formats import static_looks
from modelwright_runtime.server.formats.static_looks import Remembered
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


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Any:
    """narwhals' own look, which the end of the test puts back."""
    original = narwhals_utils._hasattr_static  # type: ignore[attr-defined, unused-ignore]
    monkeypatch.setattr(narwhals_utils, "_hasattr_static", original)
    return original


def test_it_answers_as_the_look_that_it_replaces(look: Any) -> None:
    class Table(pd.DataFrame):  # type: ignore[misc]
        __narwhals_dataframe__ = True

    class Eager:
        def __getattr__(self, name: str) -> str:
            raise AssertionError(f"{name} was asked for, which runs what the object likes to run")

    marked = pd.Series([1])
    object.__setattr__(marked, "x", 1)
    frame = pd.DataFrame({"columns": [1], "x": [2]})
    narwhals_frame: Any = __import__("narwhals").from_native(frame)
    things: list[Any] = [frame, frame["x"], marked, np.zeros(2), narwhals_frame, narwhals_frame._compliant_frame]
    things += [Table(), Eager(), pd.DataFrame, Table, 3, None, "text"]
    remembered = Remembered(look)
    for _ in range(2):
        assert [[remembered(thing, name) for name in NAMES] for thing in things] == [
            [look(thing, name) for name in NAMES] for thing in things
        ]


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
    assert set(looks) <= {type(None)}

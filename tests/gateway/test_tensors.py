"""Tensors of a signature."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from models.gateway.signature import Invalid, Signature


def signature(dtype: str, *shape: int, name: str | None = None) -> Signature:
    spec: dict[str, Any] = {"type": "tensor", "tensor": {"dtype": dtype, "shape": list(shape)}}
    return Signature([spec if name is None else {**spec, "name": name}])


def message_of(checked: Signature, value: Any) -> str:
    with pytest.raises(Invalid) as caught:
        checked.check([{"": value}])
    (error,) = caught.value.errors
    assert error["field"] == "records[0]"
    assert error["remedy"]
    message: str = error["message"]
    return message


@pytest.mark.parametrize(
    ("dtype", "shape", "value"),
    [
        ("float32", (-1, 2, 3), [[1, 2.5, 3], [4, 5, 6]]),
        ("float64", (-1, 2), [1e300, -1]),
        ("uint8", (-1, 2), [0, 255]),
        ("int64", (-1,), 7),
        ("bool", (-1, 2), [True, False]),
        ("object", (-1, 2), ["a", ""]),
        ("float32", (-1, -1, 2), [[1, 2], [3, 4], [5, 6]]),
        ("datetime64[ns]", (-1, 1), ["2026-01-31T12:00:00"]),
        ("complex128", (-1, 1), ["whatever"]),
        ("float32", (-1, 0), []),
        ("float32", (-1, -1, -1), [[1, 2], [3, 4]]),
    ],
)
def test_a_tensor_of_the_shape_and_dtype_is_taken_as_it_is(dtype: str, shape: tuple[int, ...], value: Any) -> None:
    assert signature(dtype, *shape).check([{"": value}]).rows == [(value,)]


@pytest.mark.parametrize(
    ("dtype", "shape", "value", "got"),
    [
        ("float32", (-1, 2, 3), [[1, 2, 3]], "got a list of 1 in place of 2."),
        ("float32", (-1, 2, 3), [[1, 2, 3], [4, 5]], "got a list of 2 at [1] in place of 3."),
        ("float32", (-1, 2, 3), [[1, 2, 3], [4, "x", 6]], 'got text "x" at [1][1].'),
        ("float32", (-1, 2, 3), 5, "got the number 5 in place of a list."),
        ("float32", (-1, 2), [1, 1e39], "got the number 1e+39 at [1]."),
        ("uint8", (-1, 2), [1, 256], "got the number 256 at [1]."),
        ("uint8", (-1, 2), [1, 1.5], "got the number 1.5"),
        ("int64", (-1, 2), [1, -1e19], "got the number -1e+19 at [1]."),
        ("int64", (-1, 2), [1, 1e300], "got the number 1e+300 at [1]."),
        ("uint64", (-1, 2), [1, 2.0**64], "got the number 1.8446744073709552e+19 at [1]."),
        ("int64", (-1, 2), [1, True], "got the truth value true at [1]."),
        ("bool", (-1, 2), [True, 1], "got the number 1 at [1]."),
        ("float32", (-1, 1), [None], "got null at [0]."),
        ("float32", (-1, -1, -1), [[1], [1, 2]], "a list of 2 at [1] in place of 1"),
        ("int64", (-1,), "7", 'got text "7"'),
        ("datetime64[ns]", (-1, 1), ["soon"], 'got text "soon" at [0].'),
    ],
)
def test_another_shape_or_dtype_is_named_with_its_place(
    dtype: str, shape: tuple[int, ...], value: Any, got: str
) -> None:
    assert got in message_of(signature(dtype, *shape), value)


def test_the_expected_shape_is_told() -> None:
    assert "nested lists of shape 28×28 of numbers (float32)" in message_of(signature("float32", -1, 28, 28), [])


def test_whole_numbers_written_with_a_point_are_taken_as_whole() -> None:
    ((row,),) = signature("int64", -1, 2).check([{"": [3.0, 4]}]).rows
    assert (row, type(row[0])) == ([3, 4], int)


def test_named_tensors_are_columns() -> None:
    checked = signature("int64", -1, 2, name="ids")
    assert checked.check([{"ids": [1, 2]}]).columns == ("ids",)
    with pytest.raises(Invalid) as caught:
        checked.check([{"other": [1, 2]}])
    assert [error["column"] for error in caught.value.errors] == ["other", "ids"]


def test_a_tensor_nested_beyond_reason_is_no_signature() -> None:
    for shape in ([1] * 40, "abc", [-2], [True]):
        with pytest.raises(ValueError, match="tensor"):
            Signature([{"type": "tensor", "tensor": {"dtype": "int8", "shape": shape}}])


def test_an_image_is_checked_in_well_under_a_millisecond() -> None:
    checked = signature("float32", -1, 28, 28)
    image = [[random.random() for _ in range(28)] for _ in range(28)]
    best = float("inf")
    for _ in range(20):
        began = time.thread_time()
        checked.check([{"": image}])
        best = min(best, time.thread_time() - began)
    assert best < 0.001

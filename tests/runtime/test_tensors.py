"""Rows of nested lists become arrays of the signature's dtype, and whatever a model returns one value per row."""

from __future__ import annotations

from typing import Any

import numpy
import pandas
import pytest
from modelwright_runtime.server.columns import Column, FrameBuilder
from modelwright_runtime.server.formats.choosing import same
from modelwright_runtime.server.formats.matrix import MatrixBuilder
from modelwright_runtime.server.inputs import Inputs, as_rows
from modelwright_runtime.server.results import WrongLength, as_list
from modelwright_runtime.server.tensors import FixedBatch, Tensor, TensorBuilder

IMAGE = TensorBuilder([Tensor("", "uint8", (2, -1))])
BOTH = TensorBuilder([Tensor("image", "float32", (2, 2)), Tensor("age", "int64", ())])


def test_a_nameless_tensor_is_one_array_and_named_ones_are_a_dict() -> None:
    array = IMAGE.build([""], [[[[1, 2, 3], [4, 5, 6]]], [[[7, 8, 9], [0, 0, 255]]]])
    assert (array.dtype, array.shape, array[1, 1, 2]) == ("uint8", (2, 2, 3), 255)
    arrays = BOTH.build(["age", "image"], [[40, [[1, 2], [3, 4.5]]]])
    assert {name: (str(each.dtype), each.shape) for name, each in arrays.items()} == {
        "image": ("float32", (1, 2, 2)),
        "age": ("int64", (1,)),
    }


@pytest.mark.parametrize(
    ("builder", "columns", "row", "message"),
    [
        (IMAGE, [""], [[[1, 2]]], r"the shape \[1, 2\]; each value must be nested lists of the shape \[2, any\]"),
        (IMAGE, [""], [[[1, 2], [3]]], "values of different shapes"),
        (IMAGE, [""], [[[1, 2], [3, 256]]], "numbers that uint8 cannot hold"),
        (IMAGE, [""], [[[1, 2], [3, -1]]], "numbers that uint8 cannot hold"),
        (IMAGE, [""], [[[1, 2], [3, 0.5]]], "float64 where the model takes uint8"),
        (IMAGE, [""], [[["1", "2"], ["3", "4"]]], "where the model takes uint8"),
        (IMAGE, ["x"], [1], "no input 'x'"),
        (BOTH, ["age"], [1], "'image' is missing"),
        (BOTH, ["age", "image"], [None, [[1, 2], [3, 4]]], "'age' holds object where the model takes int64"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(builder: TensorBuilder, columns: Any, row: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        builder.build(columns, [row])


def test_none_among_floating_numbers_is_not_a_number_and_texts_stay_texts() -> None:
    array = TensorBuilder([Tensor("", "float32", (2,))]).build([""], [[[1, None]]])
    assert array.dtype == "float32"
    assert numpy.isnan(array[0, 1])
    words = TensorBuilder([Tensor("", "object", (2,))]).build([""], [[["a", "b"]]])
    assert (words.dtype, words.tolist()) == ("object", [["a", "b"]])


@pytest.mark.parametrize("rows", [1, 4, 6, 9])
def test_a_model_with_a_fixed_batch_is_asked_as_often_as_it_takes(rows: int) -> None:
    asked = []

    def model(data: Any) -> Any:
        asked.append(len(data["x"]))
        return {"double": data["x"] * 2}

    given = numpy.arange(rows)
    assert FixedBatch(model, 4)({"x": given})["double"].tolist() == (given * 2).tolist()
    assert set(asked) == {4}
    for whole in (lambda data: list(data), lambda data: pandas.DataFrame({"x": data})):
        got = FixedBatch(whole, 4)(given)
        assert [each["x"] if isinstance(each, dict) else each for each in got] == given.tolist()


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ({"a": numpy.array([1, 2]), "b": numpy.array([[5], [6]])}, [{"a": 1, "b": [5]}, {"a": 2, "b": [6]}]),
        ((numpy.array([1, 2]), numpy.array([[5], [6]])), [[1, [5]], [2, [6]]]),
        (pandas.DataFrame({"a": [1, 2]}), [{"a": 1}, {"a": 2}]),
        (pandas.Series([1, 2]), [1, 2]),
        (["x", "y"], ["x", "y"]),
        (({"a": 1}, {"a": 2}), [{"a": 1}, {"a": 2}]),
    ],
)
def test_whatever_a_model_returns_is_one_value_per_row(returned: Any, expected: Any) -> None:
    assert as_list(returned, 2) == expected


@pytest.mark.parametrize(
    "returned", [numpy.array([1]), [1, 2, 3], {"a": numpy.array([1]), "b": numpy.array([1, 2])}, numpy.float64(1)]
)
def test_another_number_of_rows_is_refused(returned: Any) -> None:
    with pytest.raises(WrongLength):
        as_list(returned, 2)


def test_tables_have_the_signatures_order_and_lists_in_their_cells() -> None:
    builder = FrameBuilder([Column("a", "long", True), Column("words", "any", True)])
    frame = builder.build(["words", "a"], [[["x", "y"], 1], [["z", "u"], 2]])
    assert frame.to_dict("list") == {"a": [1, 2], "words": [["x", "y"], ["z", "u"]]}
    assert list(frame.columns) == ["a", "words"]
    matrix = MatrixBuilder(["a", "b"])
    assert matrix.build(["b", "a"], [[2, 1.5]]).tolist() == [[1.5, 2.0]]
    with pytest.raises(ValueError, match="takes the columns a, b"):
        matrix.build(["a"], [[1]])


def test_a_row_is_made_up_for_every_kind_of_signature() -> None:
    tensors = Inputs(tensors=(Tensor("x", "float32", (2, -1)), Tensor("t", "object", ())))
    assert tensors.made_up() == (("x", "t"), [[[[0], [0]], ""]])
    columns = Inputs(columns=(Column("a", "long", True), Column("b", "string", True)))
    assert columns.made_up() == (("a", "b"), [[0, ""]])
    assert Inputs().made_up() is None
    assert as_rows(numpy.ones((2, 1))) == (("",), [[[1.0]], [[1.0]]])
    assert as_rows({"x": numpy.array([1, 2])}) == (("x",), [[1], [2]])
    assert as_rows({"messages": "hello"}) is None


def test_a_short_way_must_say_the_same_up_to_rounding() -> None:
    nan = float("nan")
    assert same([{0: 0.5}], [{"0": 0.5 + 1e-7}], 1e-5)
    assert same([nan, numpy.float32(1)], [nan, 1.0], 0.0)
    assert not same([1.0], [1.0001], 1e-5)
    assert not same(["a"], ["b"], 1e-5)
    assert not same([1.0], ["x"], 1e-5)
    assert not same([[1, 2]], [[1]], 1e-5)

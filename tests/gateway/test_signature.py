"""Validation against a signature."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gateway.signature import Frame, FreeSignature, Invalid, Signature, compile_signature

TYPES = ["boolean", "integer", "long", "float", "double", "string", "datetime", "binary", "array", "object", "new"]


def column(kind: str, *, required: bool = True, name: str = "x") -> dict[str, Any]:
    return {"name": name, "type": kind, "required": required}


def errors_of(signature: Signature | FreeSignature, *records: Any) -> list[dict[str, Any]]:
    with pytest.raises(Invalid) as caught:
        signature.check(records)
    return caught.value.errors


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", True),
        ("integer", -(2**31)),
        ("long", 2**63 - 1),
        ("float", 1),
        ("float", 1.5),
        ("double", 7),
        ("double", 1e300),
        ("string", ""),
        ("datetime", "2026-11-26T12:00:00"),
        ("datetime", "2026-11-26"),
        ("datetime", "2262-04-11T23:47:16.854774"),
        ("datetime", "2262-04-12T01:00:00+02:00"),
        ("datetime", "1677-09-21T00:12:43.145225Z"),
        ("binary", "aGFsbG8="),
        ("array", [1, "a", None]),
        ("object", {"a": 1}),
        ("a type of the future", {"a": [1]}),
    ],
)
def test_a_value_of_the_type_is_taken_as_it_is(kind: str, value: Any) -> None:
    signature = Signature([column(kind), column("long", name="y")])
    for _ in range(2):
        assert signature.check([{"x": value, "y": 1}]) == Frame(("x", "y"), [(value, 1)])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", 1),
        ("boolean", "true"),
        ("integer", True),
        ("integer", 2**31),
        ("long", 1.5),
        ("long", "1"),
        ("long", 2**63),
        ("long", 1e30),
        ("float", 1e39),
        ("double", False),
        ("double", "1.0"),
        ("double", [1.0]),
        ("string", 1),
        ("string", {"a": 1}),
        ("datetime", "yesterday"),
        ("datetime", "9999-01-01"),
        ("datetime", "2262-04-11T23:00:00-02:00"),
        ("datetime", "0001-01-01T00:00:00+10:00"),
        ("datetime", 5),
        ("binary", "no base64!"),
        ("array", "abc"),
        ("object", []),
    ],
)
def test_a_value_of_another_type_is_named_with_record_column_expected_and_got(kind: str, value: Any) -> None:
    signature = Signature([column("string", name="first"), column(kind)])
    good = {"first": "a", "x": None}
    (error,) = errors_of(
        Signature([column("string", name="first"), column(kind, required=False)]), good, {**good, "x": value}
    )
    assert (error["record"], error["column"], error["field"]) == (1, "x", "records[1].x")
    assert error["expected"] in error["message"]
    assert error["got"] in error["message"]
    assert error["remedy"]
    assert errors_of(signature, {"first": "a", "x": value})[0]["column"] == "x"


def test_a_whole_number_written_as_a_float_becomes_an_integer() -> None:
    signature = Signature([column("long"), column("long", name="y")])
    for _ in range(2):
        (row,) = signature.check([{"x": 3.0, "y": 2}]).rows
        assert row == (3, 2)
        assert type(row[0]) is int


def test_a_second_record_with_the_same_types_is_still_checked_against_limits() -> None:
    signature = Signature([column("integer"), column("string", name="y")])
    signature.check([{"x": 1, "y": "a"}])
    assert errors_of(signature, {"x": 2**40, "y": "a"})[0]["got"] == f"the number {2**40}"


def test_a_true_is_refused_after_a_one_was_taken() -> None:
    signature = Signature([column("long"), column("string", name="y")])
    signature.check([{"x": 1, "y": "a"}])
    assert errors_of(signature, {"x": True, "y": "a"})[0]["got"] == "the truth value true"


@pytest.mark.parametrize("record", [{}, {"x": None}])
def test_a_required_value_may_neither_be_null_nor_left_out(record: dict[str, Any]) -> None:
    assert errors_of(Signature([column("double")]), record)[0]["got"] in ("null", "nothing")


@pytest.mark.parametrize("record", [{"y": 1}, {"x": None, "y": 1}])
def test_an_optional_value_may_be_null_or_left_out(record: dict[str, Any]) -> None:
    signature = Signature([column("double", required=False), column("long", name="y")])
    for _ in range(2):
        assert signature.check([record]).rows == [(None, 1)]


def test_an_unknown_column_is_named_with_the_known_ones() -> None:
    (error,) = errors_of(Signature([column("long")]), {"x": 1, "z": 2})
    assert error["column"] == "z"
    assert "the columns x" in error["expected"]


@pytest.mark.parametrize("record", [None, 1, "x", [], [1], True])
def test_a_record_that_is_no_object_is_refused(record: Any) -> None:
    assert errors_of(Signature([column("long")]), record)[0]["field"] == "records[0]"
    assert errors_of(FreeSignature(), record)[0]["field"] == "records[0]"


def test_errors_are_limited_in_number() -> None:
    assert len(errors_of(Signature([column("long")]), *[{"x": "a"}] * 1000)) == 50
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert len(errors_of(FreeSignature(), *[{"x": deep}] * 1000)) == 50


def test_of_very_many_unknown_columns_no_more_is_made_than_is_told() -> None:
    record = {"x": 1, **{str(index): 1 for index in range(20_000)}}
    tracemalloc.start()
    try:
        assert len(errors_of(Signature([column("long")]), record)) == 50
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_values_nested_too_deeply_are_refused() -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]
    for signature in (FreeSignature(), Signature([column("array")]), Signature([column("new")])):
        assert errors_of(signature, {"x": value})


def test_types_nested_too_deeply_in_a_table_take_anything_there() -> None:
    spec: dict[str, Any] = {"type": "long"}
    value: Any = "no number"
    for _ in range(900):
        spec = {"type": "array", "items": spec}
    for _ in range(50):
        value = [value]
    signature = Signature([{**spec, "name": "x"}])
    assert signature.check([{"x": [[]]}]).rows == [([[]],)]
    assert errors_of(signature, {"x": value})[0]["field"] == "records[0].x" + "[0]" * 50


def test_objects_and_maps_without_details_take_any() -> None:
    signature = Signature([column("object"), column("map", name="y"), {**column("array", name="z"), "items": None}])
    row: Any = ({"a": [None, {"b": "c"}]}, {"a": 1, "b": None}, [None, "a", {}])
    assert signature.check([dict(zip("xyz", row, strict=True))]).rows == [row]


def test_what_is_in_an_optional_column_may_be_null_down_to_the_next_object() -> None:
    item = {"type": "object", "properties": {"a": {"type": "double"}}}
    specs = [{"type": "map", "values": {"type": "long"}}, {"type": "array", "items": item}, item]
    values: list[Any] = [{"k": None}, [None, {}], {}]
    for spec, value in zip(specs, values, strict=True):
        assert Signature([{**spec, "name": "x", "required": False}]).check([{"x": value}]).rows == [(value,)]
        assert errors_of(Signature([{**spec, "name": "x"}]), {"x": value})
    inside = [{**item, "name": "x", "required": False}]
    assert errors_of(Signature(inside), {"x": {"a": None}})[0]["field"] == "records[0].x.a"


def test_a_model_without_a_signature_takes_equal_columns_in_any_order() -> None:
    signature = compile_signature(None)
    assert signature.check([{"a": 1, "b": 2}, {"b": 4, "a": 3}]) == Frame(("a", "b"), [(1, 2), (3, 4)])
    assert errors_of(signature, {"a": 1}, {"b": 1})[0]["record"] == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
INPUTS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abc"), "type": st.sampled_from(TYPES), "required": st.booleans()}),
    min_size=1,
    max_size=3,
    unique_by=lambda spec: spec["name"],
)
RECORDS = st.lists(JSON | st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4), min_size=1, max_size=4)


@given(inputs=INPUTS, records=RECORDS, known=RECORDS)
def test_whatever_was_checked_before_the_verdict_is_the_same(inputs: Any, records: Any, known: Any) -> None:
    def verdict(signature: Signature) -> Any:
        try:
            return repr(signature.check(records))
        except Invalid as invalid:
            orjson.dumps(invalid.errors)
            return invalid.errors

    practised = Signature(inputs)
    for record in known:
        try:
            practised.check([record])
        except Invalid:
            continue
    assert verdict(practised) == verdict(Signature(inputs))


@given(inputs=INPUTS, records=RECORDS)
def test_what_is_accepted_has_a_value_of_the_right_type_in_every_column(inputs: Any, records: Any) -> None:
    try:
        frame = Signature(inputs).check(records)
    except Invalid:
        return
    kinds = {"boolean": bool, "integer": int, "long": int, "string": str, "datetime": str, "binary": str}
    for row in frame.rows:
        for spec, value in zip(inputs, row, strict=True):
            assert value is not None or not spec["required"]
            if value is not None and spec["type"] in kinds:
                assert type(value) is kinds[spec["type"]]
            if value is not None and spec["type"] in ("float", "double"):
                assert type(value) in (int, float)
                assert math.isfinite(value)


@given(records=RECORDS)
def test_without_a_signature_any_json_is_taken_or_refused_in_words(records: Any) -> None:
    try:
        frame = FreeSignature().check(records)
    except Invalid as invalid:
        orjson.dumps(invalid.errors)
        return
    assert len(frame.rows) == len(records)

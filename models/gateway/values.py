"""The types of a signature: which JSON values belong to them, and how people are told."""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

from models.gateway.tensors import check_tensor, expectation, row_shape
from models.gateway.words import Mismatch, check_depth, describe

# As machine code a `float` holds no whole number of 64 bits to its last digit.
Limits = tuple[int | float, int | float]


class ValueType(NamedTuple):
    """`check` returns the value to use or raises `Mismatch`. `limits` bounds numbers. `by_type_alone` says that a value
    of the same Python type within the limits needs no second check."""

    check: Callable[[Any], Any]
    expected: str
    remedy: str
    limits: Limits | None = None
    by_type_alone: bool = True


_INTEGER = (-(2**31), 2**31 - 1)
_LONG = (-(2**63), 2**63 - 1)
_FLOAT = (-3.4028234663852886e38, 3.4028234663852886e38)
# What 64 bits of nanoseconds hold, which is how models are given moments.
_EARLIEST = datetime.datetime(1677, 9, 21, 0, 12, 43, 145225, datetime.UTC)
_LATEST = datetime.datetime(2262, 4, 11, 23, 47, 16, 854775, datetime.UTC)


def value_type(spec: dict[str, Any]) -> ValueType:
    """The type of one input of a signature; a type nobody knows accepts anything."""
    name = str(spec.get("type", "any")).lower()
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name == "array":
        return _array(value_type(_nested(spec.get("items"))))
    if name == "tensor":
        return _tensor(spec.get("tensor"))
    if name in ("object", "map"):
        return _OBJECT
    return _ANYTHING


def _nested(spec: Any) -> dict[str, Any]:
    return spec if isinstance(spec, dict) else {"type": "any"}


def _whole(limits: tuple[int, int]) -> Callable[[Any], int]:
    low, high = limits

    def check(value: Any) -> int:
        whole = int(value) if type(value) is float and value.is_integer() else value
        if type(whole) is not int or not low <= whole <= high:
            raise Mismatch(describe(value))
        return whole

    return check


def _number(limits: Limits | None) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if type(value) not in (int, float) or (limits is not None and not limits[0] <= value <= limits[1]):
            raise Mismatch(describe(value))
        number: float = value
        return number

    return check


def _instance(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise Mismatch(describe(value))
        return value

    return check


def _moment(value: Any) -> str:
    try:
        if type(value) is str:
            moment = datetime.datetime.fromisoformat(value)
            # Most years need no look at the zone.
            if 1677 < moment.year < 2262 or _EARLIEST <= _in_utc(moment) < _LATEST:
                return value
    except (ValueError, OverflowError):
        pass
    raise Mismatch(describe(value))


def _in_utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)


def _base64(value: Any) -> str:
    try:
        if type(value) is str:
            base64.b64decode(value, validate=True)
            return value
    except (binascii.Error, ValueError):
        pass
    raise Mismatch(describe(value))


def _array(item: ValueType) -> ValueType:
    def check(value: Any) -> list[Any]:
        if type(value) is not list:
            raise Mismatch(describe(value))
        check_depth(value)
        return [None if element is None else item.check(element) for element in value]

    return ValueType(check, f"a list, each of its items {item.expected}", "Send a list.", by_type_alone=False)


def _tensor(spec: Any) -> ValueType:
    if not isinstance(spec, dict):
        return _ANYTHING
    shape, dtype = row_shape(spec.get("shape")), str(spec.get("dtype", ""))
    expected = expectation(shape, dtype)
    return ValueType(check_tensor(shape, dtype), expected, f"Send {expected} per record.", by_type_alone=False)


_WHOLE_REMEDY = "Send a number without decimals and without quotes."
_SIMPLE = {
    "boolean": ValueType(_instance(bool), "true or false (boolean)", "Send true or false without quotes."),
    "integer": ValueType(_whole(_INTEGER), "a whole number of 32 bits (integer)", _WHOLE_REMEDY, _INTEGER),
    "long": ValueType(_whole(_LONG), "a whole number (long)", _WHOLE_REMEDY, _LONG),
    "float": ValueType(_number(_FLOAT), "a number of 32 bits (float)", "Send a number without quotes.", _FLOAT),
    "double": ValueType(_number(None), "a number (double)", "Send a number without quotes."),
    "string": ValueType(_instance(str), "text (string)", "Send the value in double quotes."),
    "datetime": ValueType(
        _moment,
        "a date or time in ISO 8601 between 1677-09-21 and 2262-04-11 (datetime)",
        'Send text like "2026-01-31T12:00:00".',
        by_type_alone=False,
    ),
    "binary": ValueType(_base64, "bytes in base64 (binary)", "Send the bytes as base64 text.", by_type_alone=False),
}


def _object(value: Any) -> Any:
    return check_depth(_instance(dict)(value))


_OBJECT = ValueType(_object, "an object", "Send an object.", by_type_alone=False)
_ANYTHING = ValueType(check_depth, "a value", "Send a value.", by_type_alone=False)

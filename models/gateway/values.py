"""The types of a signature: which JSON values belong to them, and how people are told."""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson

MAX_DEPTH = 64


class Mismatch(Exception):
    """The value is none of the type; the text says what came."""


class ValueType(NamedTuple):
    """`check` returns the value to use or raises `Mismatch`. `limits` bounds numbers. `by_type_alone` says that a value
    of the same Python type within the limits needs no second check."""

    check: Callable[[Any], Any]
    expected: str
    remedy: str
    limits: tuple[float, float] | None = None
    by_type_alone: bool = True


_INTEGER = (-(2**31), 2**31 - 1)
_LONG = (-(2**63), 2**63 - 1)
_FLOAT = (-3.4028234663852886e38, 3.4028234663852886e38)


def describe(value: Any) -> str:
    """What a JSON value is, short enough for a message."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"text {_shortened(value)}"
    if isinstance(value, dict):
        return f"an object with the keys {_shortened(list(value))}" if value else "an empty object"
    kind = "the truth value" if isinstance(value, bool) else "a list" if isinstance(value, list) else "the number"
    return f"{kind} {_shortened(value)}"


def value_type(spec: dict[str, Any]) -> ValueType:
    """The type of one input of a signature; a type nobody knows accepts anything."""
    name = str(spec.get("type", "any")).lower()
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name == "array":
        return _array(value_type(_nested(spec.get("items"))))
    if name in ("object", "map"):
        return _OBJECT
    return _ANYTHING


def _nested(spec: Any) -> dict[str, Any]:
    return spec if isinstance(spec, dict) else {"type": "any"}


def check_depth(value: Any) -> Any:
    """The value itself. Raises `Mismatch` when lists and objects nest deeper than JSON writers go."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Mismatch(f"lists or objects nested deeper than {MAX_DEPTH} levels")
        level = [item for holder in level for item in _items(holder) if isinstance(item, (list, dict))]
    return value


def _items(holder: Any) -> Iterable[Any]:
    if isinstance(holder, dict):
        return holder.values()
    return holder if isinstance(holder, list) else ()


def _shortened(value: Any) -> str:
    if isinstance(value, (list, dict)):
        value = list(value)[:5]
        value = [item if isinstance(item, (str, int, float)) else "..." for item in value]
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."


def _whole(limits: tuple[int, int]) -> Callable[[Any], int]:
    low, high = limits

    def check(value: Any) -> int:
        whole = int(value) if type(value) is float and value.is_integer() else value
        if type(whole) is not int or not low <= whole <= high:
            raise Mismatch(describe(value))
        return whole

    return check


def _number(limits: tuple[float, float] | None) -> Callable[[Any], float]:
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
            datetime.datetime.fromisoformat(value)
            return value
    except ValueError:
        pass
    raise Mismatch(describe(value))


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


_WHOLE_REMEDY = "Send a number without decimals and without quotes."
_SIMPLE = {
    "boolean": ValueType(_instance(bool), "true or false (boolean)", "Send true or false without quotes."),
    "integer": ValueType(_whole(_INTEGER), "a whole number of 32 bits (integer)", _WHOLE_REMEDY, _INTEGER),
    "long": ValueType(_whole(_LONG), "a whole number (long)", _WHOLE_REMEDY, _LONG),
    "float": ValueType(_number(_FLOAT), "a number of 32 bits (float)", "Send a number without quotes.", _FLOAT),
    "double": ValueType(_number(None), "a number (double)", "Send a number without quotes."),
    "string": ValueType(_instance(str), "text (string)", "Send the value in double quotes."),
    "datetime": ValueType(
        _moment, "a date or time in ISO 8601 (datetime)", 'Send text like "2026-01-31T12:00:00".', by_type_alone=False
    ),
    "binary": ValueType(_base64, "bytes in base64 (binary)", "Send the bytes as base64 text.", by_type_alone=False),
}


def _object(value: Any) -> Any:
    return check_depth(_instance(dict)(value))


_OBJECT = ValueType(_object, "an object", "Send an object.", by_type_alone=False)
_ANYTHING = ValueType(check_depth, "a value", "Send a value.", by_type_alone=False)

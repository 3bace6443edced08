"""The types of a signature: which JSON values belong to them, and how people are told."""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Callable, Mapping
from operator import length_hint
from typing import Any, NamedTuple

from models.gateway.tensors import check_tensor, expectation, row_shape
from models.gateway.words import MAX_DEPTH, Mismatch, check_depth, describe

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
# A list of doubles, of which MLflow tells no items.
_VECTOR = "sparkml_vector"


def value_type(spec: dict[str, Any]) -> ValueType:
    """The type of one input of a signature, with all that is nested in it; a type nobody knows accepts anything."""
    return _type(spec, is_optional(spec), 0)


def kind_of(spec: Mapping[str, Any]) -> str:
    """MLflow's name of a type; Spark's vectors are lists."""
    kind = str(spec.get("type", "any")).lower()
    return "array" if kind == _VECTOR else kind


def is_optional(spec: Mapping[str, Any]) -> bool:
    """Whether a column or property may be left out."""
    return not spec.get("required", True)


def inner(spec: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The type of the items of a list or the values of a map; anything where it is not told."""
    if str(spec.get("type")).lower() == _VECTOR:
        return {"type": "double"}
    found = spec.get(key)
    return found if isinstance(found, dict) else {"type": "any"}


def properties_of(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The types of an object's properties; none where any will do."""
    found = spec.get("properties")
    if not isinstance(found, dict):
        return {}
    return {name: one if isinstance(one, dict) else {"type": "any"} for name, one in found.items()}


def takes_null(spec: Mapping[str, Any], optional: bool) -> bool:
    """Whether null may stand for a value inside of another. As in MLflow, what is in an optional column or property is
    `optional` too, down to the next object."""
    kind = kind_of(spec)
    if kind in ("array", "map"):
        return optional or kind_of(inner(spec, "items" if kind == "array" else "values")) not in _CHECKED
    return optional or kind not in _CHECKED or (kind == "object" and not properties_of(spec))


def item_takes_null(items: Mapping[str, Any], optional: bool) -> bool:
    """The same for an item of a list: as in MLflow, those of whole numbers alone cannot have a missing one."""
    kind = kind_of(items)
    return kind not in ("integer", "long") if kind in _SIMPLE else takes_null(items, optional)


def _type(spec: Mapping[str, Any], optional: bool, level: int) -> ValueType:
    kind = kind_of(spec)
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind == "tensor":
        return _tensor(spec.get("tensor"))
    if level > MAX_DEPTH:
        return _ANYTHING
    if kind == "array":
        items = inner(spec, "items")
        return _array(_type(items, optional, level + 1), item_takes_null(items, optional), is_outer=level == 0)
    if kind == "map":
        values = inner(spec, "values")
        return _map(_type(values, optional, level + 1), takes_null(values, optional), is_outer=level == 0)
    if kind == "object" and (properties := properties_of(spec)):
        parts = {name: _property(one, level + 1) for name, one in properties.items()}
        return _object(parts, optional, is_outer=level == 0)
    return _OBJECT if kind == "object" else _ANYTHING


class _Property(NamedTuple):
    type: ValueType
    required: bool
    takes_null: bool


def _property(spec: Mapping[str, Any], level: int) -> _Property:
    optional = is_optional(spec)
    return _Property(_type(spec, optional, level), not optional, takes_null(spec, optional))


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


def _array(item: ValueType, null: bool, *, is_outer: bool) -> ValueType:
    check_item = item.check

    def check(value: Any) -> list[Any]:
        if type(value) is not list:
            raise Mismatch(describe(value))
        if is_outer:
            check_depth(value)
        rest = iter(value)
        try:
            if null:
                return [None if element is None else check_item(element) for element in rest]
            return [check_item(element) for element in rest]
        except Mismatch as mismatch:
            place = f"[{len(value) - length_hint(rest) - 1}]"
            raise mismatch.inside(place, item.expected, item.remedy) from None

    return ValueType(check, f"a list, each of its items {item.expected}", "Send a list.", by_type_alone=False)


def _map(item: ValueType, null: bool, *, is_outer: bool) -> ValueType:
    def check(value: Any) -> dict[str, Any]:
        found = _mapping(value, is_outer)
        return {name: one if one is None and null else _at(name, item, one) for name, one in found.items()}

    return ValueType(check, f"an object, each of its values {item.expected}", "Send an object.", by_type_alone=False)


def _object(properties: Mapping[str, _Property], optional: bool, *, is_outer: bool) -> ValueType:
    known = _shortened(properties)
    required = [name for name, one in properties.items() if one.required]

    def check(value: Any) -> dict[str, Any]:
        found = _mapping(value, is_outer)
        made: dict[str, Any] = {}
        for name, one in found.items():
            if name not in properties:
                told = "a property that the model does not have"
                raise Mismatch(told, f".{name[:80]}", f"an object with {known}", "Leave the property out.")
            of = properties[name]
            made[name] = one if one is None and of.takes_null else _at(name, of.type, one)
        # MLflow takes an empty object for a missing one.
        if len(made) < len(properties) and (made or not optional):
            for name in required:
                if name not in made:
                    of = properties[name]
                    raise Mismatch("nothing", f".{name}", of.type.expected, f"Send {of.type.expected}.")
        return made

    return ValueType(check, f"an object with {known}", f"Send an object with {known}.", by_type_alone=False)


def _mapping(value: Any, is_outer: bool) -> dict[str, Any]:
    found: dict[str, Any] = _instance(dict)(value)
    if is_outer:
        check_depth(found)
    return found


def _at(name: str, kind: ValueType, value: Any) -> Any:
    try:
        return kind.check(value)
    except Mismatch as mismatch:
        raise mismatch.inside(f".{name[:80]}", kind.expected, kind.remedy) from None


def _shortened(names: Mapping[str, Any]) -> str:
    told = ", ".join(name[:80] for name in list(names)[:20])
    return f"the properties {told}{' …' if len(names) > 20 else ''}"


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


def _anything_named(value: Any) -> Any:
    return check_depth(_instance(dict)(value))


_OBJECT = ValueType(_anything_named, "an object", "Send an object.", by_type_alone=False)
_ANYTHING = ValueType(check_depth, "a value", "Send a value.", by_type_alone=False)
# Types with something to check.
_CHECKED = frozenset((*_SIMPLE, "array", "map", "object"))

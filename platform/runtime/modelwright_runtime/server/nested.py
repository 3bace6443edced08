"""The values of lists, objects and maps as the classes that their signature says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Convert = Callable[[Any], Any]


class Leaf(NamedTuple):
    """What is done with a value of one type, which is not null, and with a whole list of them, in which nulls are."""

    one: Convert
    many: Convert


def floats() -> dict[str, Leaf]:
    """Numbers with decimals, which JSON's writers shorten: 1 for 1.0. All else stays as JSON has it."""
    return dict.fromkeys(("double", "float"), Leaf(_float, _all_floats))


def _float(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _all_floats(values: list[Any]) -> list[Any]:
    return [_float(value) for value in values] if int in map(type, values) else values


def converter(spec: Mapping[str, Any], leaves: Mapping[str, Leaf]) -> Convert | None:
    """What makes the values of a type, as an MLmodel file writes it, of those of JSON. None where they stay as they
    are. What is not of the type's form stays too: it is the model's to refuse."""
    kind = spec.get("type")
    if kind == "array":
        return _array(spec.get("items"), leaves)
    if kind == "sparkml_vector":
        return _array({"type": "double"}, leaves)
    if kind == "map":
        values = _of(spec.get("values"), leaves)
        return None if values is None else _map(values)
    if kind == "object":
        found = spec.get("properties")
        properties = found.items() if isinstance(found, Mapping) else ()
        converters = {name: _of(inner, leaves) for name, inner in properties}
        return _object({name: convert for name, convert in converters.items() if convert is not None})
    leaf = leaves.get(str(kind))
    return None if leaf is None else leaf.one


def _of(spec: Any, leaves: Mapping[str, Leaf]) -> Convert | None:
    return converter(spec, leaves) if isinstance(spec, Mapping) else None


def _array(items: Any, leaves: Mapping[str, Leaf]) -> Convert | None:
    leaf = leaves.get(str(items.get("type"))) if isinstance(items, Mapping) else None
    if leaf is not None:
        many = leaf.many
        return lambda value: many(value) if isinstance(value, list) else value
    convert = _of(items, leaves)
    if convert is None:
        return None
    each = convert
    return lambda value: [_unless_null(each, item) for item in value] if isinstance(value, list) else value


def _map(convert: Convert) -> Convert:
    def make(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: _unless_null(convert, item) for key, item in value.items()}

    return make


def _object(converters: Mapping[str, Convert]) -> Convert | None:
    if not converters:
        return None

    def make(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: _unless_null(converters[key], item) if key in converters else item for key, item in value.items()}

    return make


def _unless_null(convert: Convert, value: Any) -> Any:
    return None if value is None else convert(value)

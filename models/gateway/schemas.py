"""JSON Schema and example values of a signature's fields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from models.gateway.fields import Field
from models.gateway.signature import FreeSignature, Invalid, Signature
from models.gateway.tensors import Elements, elements_of, shown
from models.gateway.values import inner, is_optional, item_takes_null, kind_of, properties_of, takes_null
from models.gateway.words import MAX_DEPTH

Schema = dict[str, Any]
Record = dict[str, Any]

MAX_MADE_UP = 4096  # elements of a tensor that nobody gave an example of

_KINDS: dict[str, Schema] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "datetime": {"type": "string", "description": "A date or time in ISO 8601."},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "object": {"type": "object"},
    "map": {"type": "object"},
}
_EXAMPLES: dict[str, Any] = {
    "boolean": False,
    "integer": 0,
    "long": 0,
    "float": 0.5,
    "double": 0.5,
    "string": "text",
    "datetime": "2026-01-31T12:00:00",
    "binary": "AAEC",
}


def schema_of(field: Field) -> Schema:
    """What one value of the field is; null too where it may be missing."""
    schema = _schema(field.spec, not field.required, 0) if field.shape is None else _tensor(field)
    return schema if field.required else _or_null(schema)


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else schema


def record_schema(fields: Sequence[Field]) -> Schema:
    """What a record is; any object for a model without a signature."""
    if not fields:
        return {"type": "object", "minProperties": 1}
    return {
        "type": "object",
        "properties": {field.name: schema_of(field) for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
    }


def output_schema(fields: Sequence[Field]) -> Schema:
    """What one prediction is; anything where the signature does not tell."""
    if len(fields) == 1 and (field := fields[0]).is_tensor:
        return schema_of(field)
    if fields and all(field.shape is None for field in fields):
        properties = {field.name: schema_of(field) for field in fields}
        named: Schema = {"type": "object", "properties": properties}
        return {"anyOf": [named, *properties.values()]} if len(fields) == 1 else named
    return {}


def _schema(spec: Mapping[str, Any], optional: bool, level: int) -> Schema:
    kind = kind_of(spec)
    if level > MAX_DEPTH:
        return {}
    if kind == "array":
        items = inner(spec, "items")
        schema = _schema(items, optional, level + 1)
        return {"type": "array", "items": _or_null(schema) if item_takes_null(items, optional) else schema}
    if kind == "map":
        values = inner(spec, "values")
        schema = _schema(values, optional, level + 1)
        return {"type": "object", "additionalProperties": _or_null(schema) if takes_null(values, optional) else schema}
    if kind == "object" and (properties := properties_of(spec)):
        return {
            "type": "object",
            "properties": {name: _property(one, level + 1) for name, one in properties.items()},
            "required": [name for name, one in properties.items() if not is_optional(one)],
            "additionalProperties": False,
        }
    return dict(_KINDS.get(kind, {}))


def _property(spec: Mapping[str, Any], level: int) -> Schema:
    schema = _schema(spec, is_optional(spec), level)
    return _or_null(schema) if takes_null(spec, is_optional(spec)) else schema


def _tensor(field: Field) -> Schema:
    schema = _element(elements_of(field.dtype))
    shape = field.shape or ()
    for size in reversed(shape):
        bounds = {} if size == -1 else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **bounds}
    told = f"{field.dtype} of shape {shown(shape)}" if shape else field.dtype
    return {**schema, "description": f"{told}, without the axis of records."}


def _element(elements: Elements | None) -> Schema:
    if elements is None:
        return {}
    if elements.whole and elements.limits is not None:
        return {"type": "integer", "minimum": int(elements.limits[0]), "maximum": int(elements.limits[1])}
    return {"type": "boolean" if bool in elements.types else "string" if str in elements.types else "number"}


def example_record(signature: Signature | FreeSignature, given: Record | None) -> Record | None:
    """A record that the signature takes: `given`, with made up values for what it lacks, else all of it made up. None
    where neither can be had."""
    made = {field.name: _made_up(field) for field in signature.fields if field.required}
    names = [field.name for field in signature.fields] or list(given or ())
    merged = {**made, **(given or {})}
    for candidate in ({name: merged[name] for name in names if name in merged}, made):
        try:
            signature.check([candidate])
        except Invalid:
            continue
        return candidate
    return None


def _made_up(field: Field) -> Any:
    return _made_up_value(field.spec, 0) if field.shape is None else _zeros(field)


def _made_up_value(spec: Mapping[str, Any], level: int) -> Any:
    kind = kind_of(spec)
    if level > MAX_DEPTH:
        return 0
    if kind == "array":
        items = inner(spec, "items")
        return [] if kind_of(items) == "any" else [_made_up_value(items, level + 1)]
    if kind == "map":
        values = inner(spec, "values")
        return {} if kind_of(values) == "any" else {"key": _made_up_value(values, level + 1)}
    if kind == "object":
        properties = properties_of(spec).items()
        return {name: _made_up_value(one, level + 1) for name, one in properties if not is_optional(one)}
    return _EXAMPLES.get(kind, 0)


def _zeros(field: Field) -> Any:
    elements = elements_of(field.dtype)
    zero: Any = 0
    if elements is not None:
        zero = False if bool in elements.types else "2026-01-31" if "date" in elements.expected else 0
        zero = "text" if str in elements.types and not isinstance(zero, str) else zero
    shape = [1 if size == -1 else size for size in field.shape or ()]
    # A size of nought makes the product nothing, but not the lists around it.
    if math.prod(max(size, 1) for size in shape) > MAX_MADE_UP:
        return None
    for size in reversed(shape):
        zero = [zero] * size
    return zero

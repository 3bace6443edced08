"""From input tensors to records: one tensor per column, as MLServer's codec of DataFrames has it, or whole tensors."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import orjson

from models.gateway.fields import Field, are_unnamed
from models.gateway.protocols.bodies import Record, bad
from models.gateway.protocols.datatypes import BYTES
from models.gateway.protocols.v2_inputs import Tensor
from models.gateway.values import inner, kind_of


def records_of(tensors: Sequence[Tensor], fields: Sequence[Field]) -> list[Record]:
    """One record per row. Raises `BadBody`."""
    rows = {tensor.name: tensor.shape[0] for tensor in tensors}
    if len(rows) < len(tensors):
        raise bad("Two inputs have the same name.", "Give every input its own name.")
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in list(rows.items())[:10])
        raise bad(f"The inputs have different numbers of rows: {told}.", "Give all of them the same first dimension.")
    if len(tensors) == 1 and _is_matrix(tensors[0], fields):
        names = [field.name for field in fields]
        return [dict(zip(names, row, strict=True)) for row in _texts(tensors[0], None)]
    known = {field.name: field for field in fields}
    if are_unnamed(fields) and not rows.keys() <= known.keys():
        known = {tensor.name: field for tensor, field in zip(tensors, fields, strict=False)}
    if len(fields) == 1 and fields[0].name == "" and len(tensors) == 1:
        return [{"": value} for value in _column(tensors[0], fields[0])]
    columns = [_column(tensor, known.get(tensor.name)) for tensor in tensors]
    names = [tensor.name for tensor in tensors]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _is_matrix(tensor: Tensor, fields: Sequence[Field]) -> bool:
    """Whether it holds all columns of the signature in its order, as clients of models without column names send."""
    return (
        len(fields) > 1
        and tensor.shape[1:] == (len(fields),)
        and all(field.name != tensor.name and not field.is_tensor and field.kind != "array" for field in fields)
    )


def _column(tensor: Tensor, field: Field | None) -> list[Any]:
    """One value per row; a column of shape [rows, 1] is one of shape [rows]."""
    values = _texts(tensor, field)
    takes_lists = field is not None and (field.kind == "array" or bool(field.shape))
    if tensor.shape[1:] == (1,) and not takes_lists:
        values = [value[0] for value in values]
    if tensor.datatype == BYTES and field is not None:
        kind = _kind_of_elements(field, len(tensor.shape) - 1)
        if kind in ("object", "map", "array"):
            return [_parsed(tensor.name, value) for value in values]
    if field is not None and field.is_tensor and tensor.shape[1:] != field.shape and _has_fixed(field, tensor):
        expected = [-1, *(field.shape or ())]
        detail = f"{tensor.name} has the shape {list(tensor.shape)}, but the model takes {expected}."
        raise bad(detail, f"Send {expected}, the first dimension being the rows.")
    return values


def _has_fixed(field: Field, tensor: Tensor) -> bool:
    shape = field.shape or ()
    given = tensor.shape[1:]
    if not shape and given == (1,):
        return False
    return len(shape) != len(given) or any(a not in (-1, b) for a, b in zip(shape, given, strict=True))


def _kind_of_elements(field: Field, depth: int) -> str:
    """The type of what lies so deep in the lists of a column; objects are their own elements."""
    spec: Any = field.spec
    kind = field.kind
    while kind == "array" and depth > 0:
        spec, depth = inner(spec, "items"), depth - 1
        kind = kind_of(spec)
    return kind


def _parsed(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_parsed(name, item) for item in value]
    try:
        return orjson.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise bad(f"An element of {name} is no JSON: {error}.", "Send each object as JSON text.") from None


def _texts(tensor: Tensor, field: Field | None) -> list[Any]:
    """The rows, with texts for BYTES: base64 where the column holds bytes."""
    if tensor.datatype != BYTES:
        return tensor.rows
    is_binary = field is not None and field.kind == "binary"
    if is_binary and tensor.parameters.get("content_type") == "base64":
        is_binary = False
    return [_text(tensor.name, row, is_binary) for row in tensor.rows]


def _text(name: str, value: Any, is_binary: bool) -> Any:
    if isinstance(value, list):
        return [_text(name, item, is_binary) for item in value]
    if is_binary and value is not None:
        return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise bad(f"An element of {name} is no UTF-8: {error}.", "Send texts as UTF-8.") from None
    return value

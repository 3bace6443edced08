"""Datatypes of the Open Inference Protocol, beside the types of signatures and of numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from models.gateway.fields import Field
from models.gateway.tensors import Elements, elements_of
from models.gateway.values import inner, kind_of

BYTES = "BYTES"


class Datatype(NamedTuple):
    """`code` is struct's letter, little-endian; `size` is of one element, in bytes."""

    code: str
    size: int
    dtype: str

    @property
    def elements(self) -> Elements:
        """What JSON values belong to it."""
        found = elements_of(self.dtype)
        assert found is not None  # noqa: S101 - for the type checker; a test walks through all of them
        return found


NUMERIC = {
    "BOOL": Datatype("?", 1, "bool"),
    "INT8": Datatype("b", 1, "int8"),
    "INT16": Datatype("h", 2, "int16"),
    "INT32": Datatype("i", 4, "int32"),
    "INT64": Datatype("q", 8, "int64"),
    "UINT8": Datatype("B", 1, "uint8"),
    "UINT16": Datatype("H", 2, "uint16"),
    "UINT32": Datatype("I", 4, "uint32"),
    "UINT64": Datatype("Q", 8, "uint64"),
    "FP16": Datatype("e", 2, "float16"),
    "FP32": Datatype("f", 4, "float32"),
    "FP64": Datatype("d", 8, "float64"),
}
NAMES = (*NUMERIC, BYTES)
FLOATS = ("FP16", "FP32", "FP64")

_BY_KIND = {"boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64"}
_BY_DTYPE = {datatype.dtype: name for name, datatype in NUMERIC.items()}


def of_field(field: Field) -> str:
    """The datatype of an input or output of a signature; texts, dates, objects and what nobody knows are BYTES."""
    if field.is_tensor:
        return _BY_DTYPE.get(field.dtype, BYTES)
    if field.kind == "array":
        return _BY_KIND.get(kind_of(inner(field.spec, "items")), BYTES)
    return _BY_KIND.get(field.kind, BYTES)


def shape_of(field: Field) -> list[int]:
    """The shape of a whole tensor of that field, with the batch axis."""
    if field.shape is not None:
        return [-1, *field.shape]
    return [-1, -1] if field.kind == "array" else [-1]


def of_values(values: Sequence[Any], field: Field | None) -> str:
    """The datatype that all values have: the field's where they fit it. None is a missing value, which only floating
    point numbers and BYTES can say."""
    types = set(map(type, values))
    missing = type(None) in types
    types.discard(type(None))
    if field is not None:
        named = of_field(field)
        if named != BYTES and (not missing or named in FLOATS) and _fit(values, types, NUMERIC[named].elements):
            return named
    if types == {bool} and not missing:
        return "BOOL"
    if types <= {int, float} and types:
        return "INT64" if types == {int} and not missing and _fit(values, types, NUMERIC["INT64"].elements) else "FP64"
    return BYTES


def _fit(values: Sequence[Any], types: set[type], elements: Elements) -> bool:
    if not types <= elements.types:
        return False
    if elements.limits is None:
        return True
    low, high = elements.limits
    return all(value is None or low <= value <= high for value in values)

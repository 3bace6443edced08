"""The inputs and outputs of a signature, described: for protocols and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from models.gateway.tensors import Shape, row_shape
from models.gateway.values import kind_of

# The key that a column without a name has in the signature that the gateway checks, beside the name it is given there.
UNNAMED = "unnamed"


class Field(NamedTuple):
    """One input or output. `kind` is MLflow's name of the type, `tensor` for one; a tensor has a numpy `dtype` and the
    `shape` of one row. `name` is empty for a nameless one. `spec` is what the signature says of it."""

    name: str
    kind: str
    required: bool
    spec: dict[str, Any]
    dtype: str = ""
    shape: Shape | None = None

    @property
    def is_tensor(self) -> bool:
        """Whether its values are nested lists of numbers."""
        return self.shape is not None


def fields_of(specs: Sequence[dict[str, Any]]) -> tuple[Field, ...]:
    """The fields that a signature's list describes. Raises `ValueError` for a shape that is none."""
    return tuple(_field(index, spec) for index, spec in enumerate(specs))


def _field(index: int, spec: dict[str, Any]) -> Field:
    kind = kind_of(spec)
    required = bool(spec.get("required", True))
    tensor = spec.get("tensor")
    if kind == "tensor":
        name = str(spec.get("name", ""))
        if isinstance(tensor, dict):
            return Field(name, kind, required, spec, str(tensor.get("dtype", "")), row_shape(tensor.get("shape")))
        return Field(name, kind, required, spec)
    return Field(str(spec.get("name", index)), kind, required, spec)


def are_unnamed(fields: Sequence[Field]) -> bool:
    """Whether these are columns that the model knows by their places alone; they are called `"0"`, `"1"`, …"""
    return bool(fields) and UNNAMED in fields[0].spec and all(UNNAMED in field.spec for field in fields)


def placed(records: Sequence[Any], fields: Sequence[Field]) -> Sequence[Any]:
    """Records of columns without names, by what these are called. The keys of the first record are the header of all,
    as in a table; what does not have its keys stays as it is, and does not fit."""
    header = list(records[0]) if records and type(records[0]) is dict else []
    names = [field.name for field in fields]
    if len(header) != len(names) or set(header) == set(names):
        return records
    known = set(header)
    return [
        {name: record[key] for key, name in zip(header, names, strict=True)}
        if type(record) is dict and record.keys() == known
        else record
        for record in records
    ]

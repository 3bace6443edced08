"""The inputs and outputs of a signature, described: for protocols and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from models.gateway.tensors import Shape, row_shape


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
    kind = str(spec.get("type", "any")).lower()
    required = bool(spec.get("required", True))
    tensor = spec.get("tensor")
    if kind == "tensor":
        name = str(spec.get("name", ""))
        if isinstance(tensor, dict):
            return Field(name, kind, required, spec, str(tensor.get("dtype", "")), row_shape(tensor.get("shape")))
        return Field(name, kind, required, spec)
    return Field(str(spec.get("name", index)), kind, required, spec)

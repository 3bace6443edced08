"""What a model takes, as its MLflow signature says, and the rows that come with it or can be made up."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .columns import Column, FrameBuilder
from .enforced import EnforcedBuilder
from .tensors import Tensor, TensorBuilder

logger = logging.getLogger(__name__)

_ZERO: dict[str, Any] = {"string": "", "boolean": False, "datetime": "2000-01-01", "binary": "", "array": [], "map": {}}
_NUMBERS = {"integer", "long", "float", "double"}


class Builder(Protocol):
    """Makes what a model takes of rows of JSON values."""

    def build(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any: ...


class Rows(NamedTuple):
    """Rows of JSON values, as a predict frame holds them."""

    columns: tuple[str, ...]
    rows: list[list[Any]]


class Inputs(NamedTuple):
    """The inputs of a signature: columns, or tensors, or neither where the model has no signature."""

    columns: tuple[Column, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    # How many rows the signature fixes for a call; None where any number will do.
    batch: int | None = None

    def builder(self) -> Builder:
        """What makes arrays for tensors, else a DataFrame."""
        return TensorBuilder(self.tensors) if self.tensors else FrameBuilder(self.columns)

    def enforced_builder(self) -> Builder:
        """The same for mlflow's own way, which checks what it is given against the signature."""
        return TensorBuilder(self.tensors) if self.tensors else EnforcedBuilder(self.columns)

    def are_numbers(self) -> bool:
        """Whether all columns are numbers, so that a row is a vector."""
        return bool(self.columns) and all(column.type in _NUMBERS for column in self.columns)

    def made_up(self) -> Rows | None:
        """One row of zeros; None without a signature."""
        if self.tensors:
            values = [_zeros(_zero_of(t.dtype), t.shape) for t in self.tensors]
            return Rows(tuple(t.name for t in self.tensors), [values])
        if not self.columns:
            return None
        return Rows(tuple(c.name for c in self.columns), [[_made_up(c.spec or {"type": c.type}) for c in self.columns]])


def _made_up(spec: Mapping[str, Any]) -> Any:
    if spec.get("type") != "object":
        return _ZERO.get(str(spec.get("type")), 0)
    properties = spec.get("properties") or {}
    return {name: _made_up(inner) for name, inner in properties.items() if inner.get("required", True)}


def _zero_of(dtype: str) -> Any:
    if dtype == "object" or dtype.startswith(("str", "<U")):
        return ""
    return False if dtype == "bool" else 0


def _zeros(zero: Any, shape: Sequence[int]) -> Any:
    if not shape:
        return zero
    return [_zeros(zero, shape[1:]) for _ in range(max(shape[0], 1))]


def read(signature: Any) -> Inputs:
    """The inputs of a signature of mlflow, which may be None."""
    if signature is None or signature.inputs is None:
        return Inputs()
    specs = signature.inputs.inputs
    if not signature.inputs.is_tensor_spec():
        return Inputs(columns=tuple(_column(index, spec) for index, spec in enumerate(specs)))
    shapes = [tuple(int(size) for size in spec.shape) for spec in specs]
    batches = {shape[0] for shape in shapes if shape and shape[0] > 0}
    return Inputs(
        tensors=tuple(
            Tensor("" if spec.name is None else str(spec.name), str(spec.type), shape[1:])
            for spec, shape in zip(specs, shapes, strict=True)
        ),
        batch=batches.pop() if len(batches) == 1 else None,
    )


def _column(index: int, spec: Any) -> Column:
    # Columns without names are told apart by their places: none of them can be left out.
    name, required = (str(index), True) if spec.name is None else (str(spec.name), bool(spec.required))
    kind = getattr(spec.type, "name", None)
    if kind is not None:
        return Column(name, str(kind), required, unnamed=spec.name is None)
    inner = spec.type.to_dict()
    return Column(name, str(inner.get("type", "any")), required, inner, spec.name is None)


def example(metadata: Any, directory: Path) -> Any:
    """The input example as mlflow reads it: a DataFrame, an array, a dict of arrays; None when there is none."""
    try:
        found = metadata.load_input_example(str(directory))
    except Exception as error:
        logger.warning("the input example could not be read (%s: %s)", type(error).__name__, error)
        return None
    return found if as_rows(found) is not None else None


def as_rows(example: Any) -> Rows | None:
    """An input example as a predict frame would bring it; None when it is nothing with rows."""
    if hasattr(example, "columns") and hasattr(example, "astype"):
        cells = example.astype(object)
        rows = Rows(tuple(str(name) for name in example.columns), cells.where(cells.notna(), None).values.tolist())
    elif isinstance(example, dict) and example and all(getattr(array, "ndim", 0) for array in example.values()):
        parts = zip(*(array.tolist() for array in example.values()), strict=False)
        rows = Rows(tuple(str(name) for name in example), [list(cells) for cells in parts])
    elif getattr(example, "ndim", 0) and hasattr(example, "tolist"):
        rows = Rows(("",), [[cell] for cell in example.tolist()])
    else:
        return None
    return rows if rows.rows else None

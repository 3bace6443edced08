"""How the columns of a request become the one matrix of numbers that the compiled model takes."""

from __future__ import annotations

from typing import Any, NamedTuple

from modelwright_runtime.server.inputs import Inputs, Rows

from .graph import INPUT, Column, Graph, NotCompilableError

# MLflow's types, in the order in which their columns stand in the matrix: whole numbers first, then single precision.
TRUTH, WHOLE, SINGLE, DOUBLE, TEXT = "truth", "whole", "single", "double", "text"
_READ = {"integer": WHOLE, "long": WHOLE, "boolean": TRUTH, "float": SINGLE, "double": DOUBLE, "string": TEXT}
_ORDER = (TRUTH, WHOLE, SINGLE, DOUBLE, TEXT)


class Input(NamedTuple):
    """One column of the request. `read` says how its values become numbers."""

    name: str
    read: str
    required: bool


class Plan(NamedTuple):
    """The columns of the matrix in their order, or the one tensor that is the matrix itself, by its name and dtype."""

    columns: tuple[Input, ...] = ()
    tensor: str | None = None
    dtype: str = ""
    width: int = 0

    def graph(self) -> Graph:
        """An empty graph over the matrix."""
        return Graph(self.width or len(self.columns))

    def order(self, names: list[str] | None, signature: tuple[str, ...]) -> list[Column]:
        """The graph's columns as the model knows them: by `names`, else in the order of the signature."""
        if self.tensor is not None:
            return [Column(INPUT, index) for index in range(self.width)]
        places = {each.name: Column(INPUT, index, each.read == TEXT) for index, each in enumerate(self.columns)}
        missing = [name for name in names or () if name not in places]
        if missing:
            raise NotCompilableError(f"the model wants a column {missing[0]!r} that its signature does not have")
        return [places[name] for name in names or signature]


def plan(inputs: Inputs, example: Rows | None, width: int) -> Plan:
    """How requests of the signature are read, or of the example where there is none. Raises `NotCompilableError`."""
    if inputs.tensors:
        tensor = inputs.tensors[0]
        if len(inputs.tensors) > 1 or len(tensor.shape) != 1 or not tensor.dtype.startswith(("float", "int")):
            raise NotCompilableError("its input is no table and no rows of numbers")
        size = tensor.shape[0] if tensor.shape[0] > 0 else width
        return Plan(tensor=tensor.name, dtype=tensor.dtype, width=size)
    if inputs.columns:
        unknown = [each for each in inputs.columns if each.type not in _READ]
        if unknown:
            raise NotCompilableError(f"the column {unknown[0].name!r} is of the type {unknown[0].type}")
        read = [Input(each.name, _READ[each.type], each.required) for each in inputs.columns]
        return Plan(tuple(sorted(read, key=lambda each: _ORDER.index(each.read))))
    if example is None:
        raise NotCompilableError("it has neither a signature nor an input example, so nobody knows what it takes")
    raise NotCompilableError("it has no signature that says the types of its columns")


def kinds_of(plan: Plan) -> list[dict[str, Any]]:
    """The columns as `compiled.json` says them: true and false are read as the whole numbers 1 and 0."""
    return [{"name": each.name, "read": WHOLE if each.read == TRUTH else each.read} for each in plan.columns]

"""Builds an ONNX graph whose numbers are all doubles of the shape rows × columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

INPUT, OUTPUT = "rows", "scores"
OPSET, ML_OPSET, IR_VERSION = 18, 5, 10
ML = "ai.onnx.ml"

# What a text becomes before the graph sees it; the words that the model knows follow.
UNKNOWN, MISSING, FIRST_WORD = 0.0, 1.0, 2


class NotCompilableError(Exception):
    """The model has no exact counterpart here; the message says which part, in words for its author."""


class Column(NamedTuple):
    """One column of a value of the graph. A text is the number of its word."""

    source: str
    place: int
    is_text: bool = False


class Origin(NamedTuple):
    """The input column that a value depends on alone, and which input gives the value."""

    column: int
    inverse: Callable[[float], float]


_INVERSES: dict[str, Callable[[float, float], float]] = {
    "Add": lambda value, by: value - by,
    "Sub": lambda value, by: value + by,
    "Mul": lambda value, by: value / by if by else value,
    "Div": lambda value, by: value * by,
}


def _before(back: Callable[[float], float], inverse: Callable[[float, float], float], number: float) -> Any:
    return lambda said: back(inverse(said, number))


class Graph:
    """Nodes and constants, in the order in which they are computed; `words` numbers the texts that the model knows.

    `edges` are the values of each input column at which the model's answer may jump, `categories` those of them that an
    encoder knows, `usual` some that are usual.
    """

    def __init__(self, inputs: int) -> None:
        import numpy
        import onnx

        self.numpy = numpy
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._widths: dict[str, int] = {INPUT: inputs}
        self._inputs = inputs
        self.opset, self._ml_opset = OPSET, ML_OPSET
        self.words: dict[str, int] = {}
        self.words_of: dict[int, set[str]] = defaultdict(set)
        self.edges: dict[int, set[float]] = defaultdict(set)
        self.categories: dict[int, set[float]] = defaultdict(set)
        self.usual: dict[int, set[float]] = defaultdict(set)
        self._origins = {(INPUT, index): Origin(index, float) for index in range(inputs)}

    def word(self, text: str, column: Column) -> float:
        """The number of a text that the column may hold."""
        if (origin := self._origins.get((column.source, column.place))) is not None:
            self.words_of[origin.column].add(text)
        return float(self.words.setdefault(text, FIRST_WORD + len(self.words)))

    def constant(self, values: Any, dtype: str = "float64") -> str:
        """A constant's name."""
        name = f"c{len(self._constants)}"
        array = self.numpy.ascontiguousarray(values, dtype=dtype)
        self._constants.append(self._onnx.numpy_helper.from_array(array.reshape(self.numpy.shape(values)), name))
        return name

    def add(self, operator: str, *inputs: str, width: int, domain: str = "", **attributes: Any) -> str:
        """A node with one output of so many columns; the output's name."""
        name = f"v{len(self._nodes)}"
        made = self._onnx.helper.make_node(operator, list(inputs), [name], name=name, domain=domain, **attributes)
        self._nodes.append(made)
        self._widths[name] = width
        return name

    def width(self, value: str) -> int:
        """How many columns the value has."""
        return self._widths.get(value, 0)

    def columns(self, value: str, *, is_text: bool = False) -> list[Column]:
        """All columns of a value."""
        return [Column(value, index, is_text) for index in range(self._widths[value])]

    def gather(self, columns: Sequence[Column]) -> str:
        """One value that has exactly these columns, in this order."""
        if not columns:
            raise NotCompilableError("a part of the pipeline takes no column at all")
        value = self._gather(columns)
        for index, column in enumerate(columns):
            if (origin := self._origins.get((column.source, column.place))) is not None:
                self._origins[value, index] = origin
        return value

    def _gather(self, columns: Sequence[Column]) -> str:
        runs: list[list[Column]] = []
        for column in columns:
            if runs and runs[-1][0].source == column.source:
                runs[-1].append(column)
            else:
                runs.append([column])
        parts = [self._pick(run) for run in runs]
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, width=len(columns), axis=1)

    def _pick(self, run: list[Column]) -> str:
        source, indexes = run[0].source, [column.place for column in run]
        if indexes == list(range(self._widths[source])):
            return source
        return self.add("Gather", source, self.constant(indexes, "int64"), width=len(run), axis=1)

    def apply(self, operator: str, value: str, by: Any) -> str:
        """Add, Sub, Mul or Div of each column with a number of its own."""
        made = self.add(operator, value, self.constant(by), width=self.width(value))
        inverse = _INVERSES[operator]
        for index, number in enumerate(self.numpy.broadcast_to(by, (self.width(value),)).tolist()):
            if (origin := self._origins.get((value, index))) is not None:
                self._origins[made, index] = Origin(origin.column, _before(origin.inverse, inverse, number))
        return made

    def follow(self, made: str, value: str) -> str:
        """Note that `made` holds, column by column, what `value` does as far as thresholds are concerned."""
        for index in range(self.width(value)):
            if (origin := self._origins.get((value, index))) is not None:
                self._origins[made, index] = origin
        return made

    def edge(self, value: str, index: int, at: float) -> None:
        """The answer may jump where this column of `value` is `at`."""
        if (origin := self._origins.get((value, index))) is not None:
            self.edges[origin.column].add(origin.inverse(at))

    def category(self, value: str, index: int, at: float) -> None:
        """An encoder knows the value `at` of this column."""
        self.edge(value, index, at)
        if (origin := self._origins.get((value, index))) is not None:
            self.categories[origin.column].add(origin.inverse(at))

    def scale(self, value: str) -> None:
        """The columns of `value` are usually a few units around zero."""
        for index in range(self.width(value)):
            if (origin := self._origins.get((value, index))) is not None:
                self.usual[origin.column].update(origin.inverse(step / 2) for step in range(-6, 7))

    def number(self, value: str) -> str:
        """A truth value as 0 or 1."""
        return self.add("Cast", value, width=self.width(value), to=self._onnx.TensorProto.DOUBLE)

    def rounded(self, value: str) -> str:
        """Doubles that hold what single precision keeps of them."""
        single = self.add("Cast", value, width=self.width(value), to=self._onnx.TensorProto.FLOAT)
        return self.follow(self.number(single), value)

    def whole(self, value: str) -> str:
        """Whole numbers, for looking something up."""
        return self.add("Cast", value, width=self.width(value), to=self._onnx.TensorProto.INT64)

    def needs_trees(self) -> None:
        """Raises `NotCompilableError` behind a borrowed part, which is of an older set of operators."""
        if self._ml_opset < ML_OPSET:
            raise NotCompilableError("trees behind a part that skl2onnx converts are not known here")

    def reshaped(self, value: str, width: int) -> str:
        """The value as rows of so many columns."""
        return self.add("Reshape", value, self.constant([-1, width], "int64"), width=width)

    def include(self, model: Any, value: str, ml_opset: int) -> list[str]:
        """Take the nodes of a model over whose one input is `value`; the names of its outputs."""
        if any(node.op_type == "TreeEnsemble" for node in self._nodes):
            raise NotCompilableError("trees before a borrowed part are not known here")
        self._ml_opset = min(self._ml_opset, ml_opset)
        wanted = model.graph.input[0]
        prefix = f"b{len(self._nodes)}_"
        given = self.add("Cast", value, width=self.width(value), to=wanted.type.tensor_type.elem_type)

        def renamed(name: str) -> str:
            return given if name == wanted.name else prefix + name if name else name

        for constant in model.graph.initializer:
            constant.name = renamed(constant.name)
            self._constants.append(constant)
        for node in model.graph.node:
            node.name = prefix + node.name
            node.input[:] = [renamed(name) for name in node.input]
            node.output[:] = [renamed(name) for name in node.output]
            self._nodes.append(node)
        return [renamed(output.name) for output in model.graph.output]

    def finish(self, value: str) -> bytes:
        """The model whose output is `value`."""
        onnx = self._onnx
        kind = onnx.TensorProto.DOUBLE
        self._nodes.append(onnx.helper.make_node("Identity", [value], [OUTPUT], name=OUTPUT))
        graph = onnx.helper.make_graph(
            self._nodes,
            "modelwright",
            [onnx.helper.make_tensor_value_info(INPUT, kind, [None, self._inputs])],
            [onnx.helper.make_tensor_value_info(OUTPUT, kind, [None, self.width(value)])],
            self._constants,
        )
        opsets = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid(ML, self._ml_opset)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, producer_name="modelwright")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content

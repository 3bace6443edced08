"""From a fitted model to an ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelwright_runtime.server.inputs import Inputs, Rows

from .boosters import boosted, is_booster
from .estimators import Answer, estimate
from .graph import Graph, NotCompilableError
from .inputs import TEXT, Plan, kinds_of, plan
from .transformers import Columns, numbers, transform


@dataclass
class Conversion:
    """A graph, and what `compiled.json` says besides it."""

    content: bytes
    description: dict[str, Any]
    graph: Graph
    plan: Plan


def convert(model: Any, inputs: Inputs, example: Rows | None) -> Conversion:
    """Compile the fitted model. Raises `NotCompilableError`."""
    read = plan(inputs, example, int(getattr(model, "n_features_in_", 0) or 0))
    graph = read.graph()
    names = getattr(model, "feature_names_in_", None)
    order = read.order(None if names is None else [str(name) for name in names], tuple(c.name for c in inputs.columns))
    answer = _model(graph, model, order)
    if len(answer.classes or ()) == 1:
        raise NotCompilableError("it knows a single class")
    description = {
        "format": 1,
        "columns": kinds_of(read),
        "tensor": None if read.tensor is None else {"name": read.tensor, "dtype": read.dtype, "width": read.width},
        "words": graph.words if any(each.read == TEXT for each in read.columns) else {},
        "classes": answer.classes,
        "has_label": answer.has_label,
    }
    return Conversion(graph.finish(answer.value), description, graph, read)


def _model(graph: Graph, model: Any, columns: Columns) -> Answer:
    name = type(model).__name__
    if is_booster(model):
        return boosted(graph, model, numbers(graph, columns, name))
    if name == "Pipeline":
        for _, step in model.steps[:-1]:
            columns = transform(graph, step, columns)
        return _model(graph, model.steps[-1][1], columns)
    if hasattr(model, "best_estimator_"):
        return _model(graph, model.best_estimator_, columns)
    return estimate(graph, model, numbers(graph, columns, name))

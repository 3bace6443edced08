"""What is not written here is taken from skl2onnx, where the environment has it: the proof says whether that is enough.

Its graphs are in single precision for the most part, so what stands behind them may differ; what stands before them is
still exact.
"""

from __future__ import annotations

import copy
import importlib.util
from typing import Any, NamedTuple

from .graph import Graph, NotCompilableError

HAVE_CONVERTERS = importlib.util.find_spec("skl2onnx") is not None
_ML_OPSET = 3


class Borrowed(NamedTuple):
    """A value of doubles. With `has_label`, its first column is the number of the class."""

    value: str
    has_label: bool


def classify(graph: Graph, model: Any, value: str) -> Borrowed:
    """The classes' numbers, and the probabilities where the converter gives them. Raises `NotCompilableError`."""
    numbered = copy.copy(model)
    # Labels of one's own are put in their place by whoever answers; the converter's own ways with them differ.
    numbered.classes_ = graph.numpy.arange(len(model.classes_))
    made = _converted(graph, numbered, value, {"zipmap": False})
    outputs = graph.include(made, value, _ML_OPSET)
    label = graph.number(graph.reshaped(outputs[0], 1))
    if not hasattr(model, "predict_proba"):
        return Borrowed(label, True)
    chances = graph.number(graph.reshaped(outputs[1], len(model.classes_)))
    return Borrowed(graph.add("Concat", label, chances, width=1 + len(model.classes_), axis=1), True)


def compute(graph: Graph, step: Any, value: str) -> str:
    """What a regressor predicts, or a transformer makes of the columns. Raises `NotCompilableError`."""
    outputs = graph.include(_converted(graph, step, value, {}), value, _ML_OPSET)
    method = step.predict if hasattr(step, "predict") else step.transform
    width = graph.numpy.atleast_2d(method(graph.numpy.zeros((1, graph.width(value))))).shape[1]
    return graph.number(graph.reshaped(outputs[0], width))


def _converted(graph: Graph, step: Any, value: str, options: dict[str, Any]) -> Any:
    """The step as a model of its own with one input, in double precision where a runtime has that."""
    name = type(step).__name__
    if not HAVE_CONVERTERS or not type(step).__module__.startswith("sklearn."):
        raise NotCompilableError(f"{name} has no exact counterpart in ONNX here")
    import onnxruntime
    import skl2onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    trouble: Exception | None = None
    for kind in (DoubleTensorType, FloatTensorType):
        try:
            made = skl2onnx.convert_sklearn(
                step,
                initial_types=[("X", kind([None, graph.width(value)]))],
                options={id(step): options} if options else None,
                target_opset={"": graph.opset, "ai.onnx.ml": _ML_OPSET},
            )
            onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        except Exception as error:
            trouble = error
        else:
            return made
    said = str(trouble).partition("\n")[0][:200]
    raise NotCompilableError(f"{name} has no exact counterpart in ONNX here, and skl2onnx has none ({said})")

"""What is not written here is taken from skl2onnx, where the environment has it: the proof says whether that is enough.

Its graphs are in single precision for the most part, so what stands behind them may differ; what stands before them is
still exact. Trees are never borrowed: scikit-learn rounds a value before it meets a threshold, those graphs do not,
and no row of the probe set lies at a threshold that is not known here.
"""

from __future__ import annotations

import copy
import importlib.util
from typing import Any, NamedTuple

from .graph import Graph, NotCompilableError

HAVE_CONVERTERS = importlib.util.find_spec("skl2onnx") is not None
_ML_OPSET = 3
_BOOSTERS = ("xgboost", "lightgbm")


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
    if (tree := _tree_in(step, {})) is not None:
        inside = "is made of trees" if tree is step else f"holds a tree ({type(tree).__name__})"
        raise NotCompilableError(f"{name} {inside}, which skl2onnx does not compute as scikit-learn does")
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


def _tree_in(part: Any, seen: dict[int, Any]) -> Any:
    """What decides by thresholds in the fitted part: itself or anything that it is made of. None where nothing does."""
    if id(part) in seen:
        return None
    # Kept, too: the number of what is gone may be given to what is next.
    seen[id(part)] = part
    if isinstance(part, dict):
        inner = list(part.values())
    elif isinstance(part, (list, tuple)):
        inner = list(part)
    elif getattr(getattr(part, "dtype", None), "hasobject", False) and hasattr(part, "tolist"):
        # Such as the stages of gradient boosting.
        inner = [part.tolist()]
    elif isinstance(part, type) or not _is_made_of_parts(part):
        return None
    elif hasattr(part, "tree_") or hasattr(part, "_predictors") or _library(part) in _BOOSTERS:
        return part
    else:
        inner = list(vars(part).values())
    return next((found for each in inner if (found := _tree_in(each, seen)) is not None), None)


def _is_made_of_parts(part: Any) -> bool:
    """Estimators of any library, and what scikit-learn keeps them in, such as calibrated classifiers."""
    return hasattr(part, "__dict__") and (hasattr(part, "get_params") or _library(part) in ("sklearn", *_BOOSTERS))


def _library(part: Any) -> str:
    return type(part).__module__.partition(".")[0]

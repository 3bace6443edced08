"""Chooses how a model's predictions are computed: mlflow's own way, or a shorter one that is shown to say the same."""

from __future__ import annotations

import logging
import math
from typing import Any

from modelwright_runtime.server.inputs import Rows, as_rows
from modelwright_runtime.server.results import as_list
from modelwright_runtime.server.tensors import FixedBatch

from . import keras, lightgbm, onnx, pmml, python_class, sklearn, spark, xgboost
from .ways import EnforcedPredictor, Opened, Way

logger = logging.getLogger(__name__)

# By the `loader_module` of the python_function flavour.
_FORMATS: dict[str, Any] = {
    "mlflow.sklearn": sklearn,
    "mlflow.xgboost": xgboost,
    "mlflow.lightgbm": lightgbm,
    "mlflow.keras": keras,
    "mlflow.tensorflow": keras,
    "mlflow.onnx": onnx,
    "mlflow.spark": spark,
    "modelwright_runtime.flavors.pmml": pmml,
    "modelwright_runtime.flavors.python_class": python_class,
}


def loader(metadata: Any) -> str:
    """The module that loads the model, as its MLmodel file says."""
    conf = metadata.flavors.get("python_function")
    return str(conf.get("loader_module", "")) if isinstance(conf, dict) else ""


def prepare(loader_module: str) -> None:
    """What must be so before mlflow loads the model. Raises `LoadError`."""
    module = _FORMATS.get(loader_module)
    if module is not None:
        module.prepare()


def choose(opened: Opened, example: Any) -> Way:
    """The way to compute: the short one of the model's format where it says what mlflow's own way says about
    the example, or about a row of zeros where no example came with the model."""
    module = _FORMATS.get(loader(opened.pyfunc.metadata))
    try:
        short: Way | None = module.way(opened) if module is not None else None
    except Exception as error:
        logger.warning("no short way (%s: %s)", type(error).__name__, error)
        short = None
    ask = opened.pyfunc.predict
    if opened.inputs.batch is not None:  # mlflow refuses any other number of rows
        ask = FixedBatch(ask, opened.inputs.batch)
    if short is None:
        return Way(opened.inputs.enforced_builder(), EnforcedPredictor(ask))
    named = short.named
    whole = Way(opened.inputs.enforced_builder(), EnforcedPredictor(lambda data: named(ask(data))))
    rows = as_rows(example)
    if rows is not None:
        return _proven(short, whole, opened, rows, example)
    made_up = None if short.certain else opened.inputs.made_up()
    if made_up is not None:
        return _proven(short, whole, opened, made_up, whole.builder.build(*made_up))
    return short if short.certain else whole


def _proven(short: Way, whole: Way, opened: Opened, rows: Rows, data: Any) -> Way:
    try:
        got = short.predictor.predict(short.builder.build(*rows)).predictions
    except Exception as error:
        logger.warning("the short way fails on the example (%s: %s); keeping mlflow's", type(error).__name__, error)
        return whole
    try:
        expected = as_list(short.named(opened.pyfunc.predict(data)), len(rows.rows))
    except Exception as error:
        logger.warning("mlflow's way fails on the example (%s: %s)", type(error).__name__, error)
        return short
    if same(expected, got, short.tolerance):
        return short
    logger.warning("predictions of the example differ without mlflow's schema enforcement; keeping mlflow's way")
    return whole


def same(left: Any, right: Any, tolerance: float) -> bool:
    """Whether two predictions are equal: numbers within `tolerance`, absolutely or relatively, all else exactly."""
    if isinstance(left, dict) and isinstance(right, dict):
        named = {str(name): value for name, value in right.items()}
        return len(left) == len(named) and all(
            str(name) in named and same(value, named[str(name)], tolerance) for name, value in left.items()
        )
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(same(a, b, tolerance) for a, b in zip(left, right, strict=True))
    if isinstance(left, float) or isinstance(right, float):
        try:
            a, b = float(left), float(right)
        except (TypeError, ValueError):
            return False
        return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    if hasattr(left, "tolist") or hasattr(right, "tolist"):
        return same(_plain(left), _plain(right), tolerance)
    return bool(left == right)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value

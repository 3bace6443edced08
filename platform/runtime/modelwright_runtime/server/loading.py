"""Loads an MLflow model directory and decides how its predictions are computed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from .classifiers import ClassifierPredictor, gives_both
from .columns import Column, FrameBuilder
from .results import Outcome, as_list

logger = logging.getLogger(__name__)


class LoadError(Exception):
    """The model cannot be served; the message says why and what to do."""


class Predictor(Protocol):
    """Something that turns a DataFrame into an `Outcome`."""

    def predict(self, frame: Any) -> Outcome: ...


class PlainPredictor:
    """Asks one function and nothing else."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def predict(self, frame: Any) -> Outcome:
        """One prediction per row of the DataFrame."""
        return Outcome(as_list(self._function(frame), len(frame)))


class LoadedModel:
    """A model ready to predict from columns and rows of JSON values. Not for use by two threads at once."""

    def __init__(self, builder: FrameBuilder, predictor: Predictor) -> None:
        self._builder = builder
        self._predictor = predictor
        self._settings = _estimator_settings()

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        """Predictions in row order. Raises whatever the model raises."""
        frame = self._builder.build(columns, rows)
        with self._settings():
            return self._predictor.predict(frame)


def load(directory: Path) -> LoadedModel:
    """The warmed-up model of an MLflow model directory. Raises `LoadError`."""
    if not (directory / "MLmodel").is_file():
        raise LoadError(
            f"{directory} holds no MLmodel file, so it is no MLflow model; name the folder with MLmodel in it"
        )
    try:
        import mlflow.pyfunc
    except ImportError as error:
        raise LoadError(
            f"mlflow cannot be imported in this environment ({error}); add mlflow-skinny to the project's requirements"
        ) from error
    try:
        pyfunc = mlflow.pyfunc.load_model(str(directory))
    except Exception as error:
        raise LoadError(
            f"the model in {directory} cannot be loaded: {type(error).__name__}: {error}; "
            "compare the project's requirements with the model's requirements.txt"
        ) from error
    signature = _signature_columns(pyfunc)
    builder = FrameBuilder(signature)
    example = _example(pyfunc, directory)
    model = LoadedModel(builder, _choose_predictor(pyfunc, builder, example))
    _warm_up(model, signature, example)
    return model


def _choose_predictor(pyfunc: Any, builder: FrameBuilder, example: Any) -> Predictor:
    conf = pyfunc.metadata.flavors.get("python_function", {})
    whole = PlainPredictor(pyfunc.predict)
    if conf.get("loader_module") != "mlflow.sklearn" or conf.get("predict_fn", "predict") != "predict":
        return whole
    raw = pyfunc.get_raw_model()
    direct: Predictor = ClassifierPredictor(raw) if gives_both(raw) else PlainPredictor(raw.predict)
    if example is None:
        return direct
    # The short way must say exactly what MLflow's own way says about the example that came with the model.
    try:
        columns, rows = _columns_and_rows(example)
        expected = as_list(pyfunc.predict(example), len(rows))
        got = direct.predict(builder.build(columns, rows)).predictions
    except Exception as error:
        logger.warning("the input example could not be predicted (%s: %s)", type(error).__name__, error)
        return direct
    if got == expected:
        return direct
    logger.warning("predictions of the input example differ without MLflow's schema enforcement; keeping MLflow's way")
    return whole


def _signature_columns(pyfunc: Any) -> list[Column]:
    signature = pyfunc.metadata.signature
    if signature is None or signature.inputs is None or signature.inputs.is_tensor_spec():
        return []
    return [
        Column(str(index if spec.name is None else spec.name), getattr(spec.type, "name", "any"), bool(spec.required))
        for index, spec in enumerate(signature.inputs.inputs)
    ]


def _example(pyfunc: Any, directory: Path) -> Any:
    try:
        example = pyfunc.metadata.load_input_example(str(directory))
    except Exception as error:
        logger.warning("the input example could not be read (%s: %s)", type(error).__name__, error)
        return None
    return example if hasattr(example, "columns") and len(example) else None


def _columns_and_rows(example: Any) -> tuple[list[str], list[list[Any]]]:
    cells = example.astype(object)
    rows = cells.where(cells.notna(), None).values.tolist()
    return [str(name) for name in example.columns], rows


def _warm_up(model: LoadedModel, signature: Sequence[Column], example: Any) -> None:
    if example is not None:
        columns, rows = _columns_and_rows(example)
    elif signature:
        zero = {"string": "", "boolean": False, "datetime": "2000-01-01", "binary": ""}
        columns, rows = [c.name for c in signature], [[zero.get(c.type, 0) for c in signature]]
    else:
        return
    try:
        for _ in range(3):
            model.predict(columns, rows)
    except Exception as error:
        logger.warning("warming up failed (%s: %s)", type(error).__name__, error)


def _estimator_settings() -> Callable[[], contextlib.AbstractContextManager[Any]]:
    try:
        import sklearn
    except ImportError:
        return contextlib.nullcontext
    # Parameters were checked when the model was trained; inputs are still checked.
    return lambda: sklearn.config_context(skip_parameter_validation=True)

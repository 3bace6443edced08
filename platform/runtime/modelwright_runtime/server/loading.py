"""Loads an MLflow model directory and warms it up; how its predictions are computed, `formats` decides."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import inputs
from .formats import choosing
from .formats.ways import LoadError, Opened, Way
from .results import Outcome

__all__ = ["LoadError", "LoadedModel", "load"]

logger = logging.getLogger(__name__)


class LoadedModel:
    """A model ready to predict from columns and rows of JSON values. Not for use by two threads at once."""

    def __init__(self, way: Way) -> None:
        self._builder = way.builder
        self._predictor = way.predictor
        self._settings = _estimator_settings()

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        """Predictions in row order. Raises whatever the model raises, and `ValueError` for what it cannot take."""
        data = self._builder.build(columns, rows)
        with self._settings():
            return self._predictor.predict(data)


def load(directory: Path) -> LoadedModel:
    """The warmed-up model of an MLflow model directory. Raises `LoadError`."""
    opened = open_model(directory)
    example = inputs.example(opened.pyfunc.metadata, directory)
    model = LoadedModel(choosing.choose(opened, example))
    rows = inputs.as_rows(example) or opened.inputs.made_up()
    if rows is not None:
        _warm_up(model, rows)
    return model


def open_model(directory: Path) -> Opened:
    """The model as mlflow loads it. Raises `LoadError`."""
    if not (directory / "MLmodel").is_file():
        raise LoadError(
            f"{directory} holds no MLmodel file, so it is no MLflow model; name the folder with MLmodel in it"
        )
    try:
        import mlflow.pyfunc
        from mlflow.models import Model
    except ImportError as error:
        raise LoadError(
            f"mlflow cannot be imported in this environment ({error}); add mlflow-skinny to the project's requirements"
        ) from error
    try:
        choosing.prepare(choosing.loader(Model.load(str(directory))))
        pyfunc = mlflow.pyfunc.load_model(str(directory))
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(
            f"the model in {directory} cannot be loaded: {type(error).__name__}: {error}; "
            "compare the project's requirements with the model's requirements.txt"
        ) from error
    return Opened(pyfunc, directory, inputs.read(pyfunc.metadata.signature))


def _warm_up(model: LoadedModel, rows: inputs.Rows) -> None:
    try:
        for _ in range(3):
            model.predict(*rows)
    except Exception as error:
        logger.warning("warming up failed (%s: %s)", type(error).__name__, error)


def _estimator_settings() -> Callable[[], contextlib.AbstractContextManager[Any]]:
    try:
        import sklearn
    except ImportError:
        return contextlib.nullcontext
    # Parameters were checked when the model was trained; inputs are still checked.
    return lambda: sklearn.config_context(skip_parameter_validation=True)

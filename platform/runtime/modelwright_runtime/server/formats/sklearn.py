"""scikit-learn: `predict` of the estimator itself, or `predict_proba` where that gives both."""

from __future__ import annotations

from modelwright_runtime.server.classifiers import ClassifierPredictor, gives_both

from .ways import Opened, PlainPredictor, Predictor, Way


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """None where the model was logged to be asked by another function than `predict`."""
    if opened.flavor("python_function").get("predict_fn", "predict") != "predict":
        return None
    raw = opened.raw()
    predictor: Predictor = ClassifierPredictor(raw) if gives_both(raw) else PlainPredictor(raw.predict)
    return Way(opened.inputs.builder(), predictor, certain=True)

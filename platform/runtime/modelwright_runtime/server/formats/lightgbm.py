"""LightGBM: an estimator of its scikit-learn interface, or a bare Booster."""

from __future__ import annotations

from modelwright_runtime.server.classifiers import ClassifierPredictor, gives_both

from .ways import Opened, PlainPredictor, Predictor, Way


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """`predict` of the model itself, or `predict_proba` where that gives both."""
    raw = opened.raw()
    if hasattr(raw, "set_params"):
        raw.set_params(n_jobs=1)  # else each call counts the machine's cores, which takes 10 ms
    predictor: Predictor = ClassifierPredictor(raw) if gives_both(raw) else PlainPredictor(raw.predict)
    return Way(opened.inputs.builder(), predictor)

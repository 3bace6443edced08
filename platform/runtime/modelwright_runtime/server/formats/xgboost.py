"""XGBoost: an estimator of its scikit-learn interface, or a bare Booster."""

from __future__ import annotations

from typing import Any

from modelwright_runtime.server.classifiers import ClassifierPredictor, gives_both

from .ways import Opened, PlainPredictor, Predictor, Way


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """A Booster is asked in place, without the matrix that mlflow copies each batch into."""
    raw = opened.raw()
    if type(raw).__name__ == "Booster":
        raw.set_param({"nthread": 1})
        return Way(opened.inputs.builder(), PlainPredictor(_in_place(raw)))
    raw.set_params(n_jobs=1)
    predictor: Predictor = ClassifierPredictor(raw) if gives_both(raw) else PlainPredictor(raw.predict)
    return Way(opened.inputs.builder(), predictor)


def _in_place(booster: Any) -> Any:
    # What `predict` does after early stopping; `inplace_predict` does not do it by itself.
    best = booster.attr("best_iteration")
    rounds = (0, int(best) + 1) if best is not None else (0, 0)

    def predict(frame: Any) -> Any:
        return booster.inplace_predict(frame, iteration_range=rounds)

    return predict

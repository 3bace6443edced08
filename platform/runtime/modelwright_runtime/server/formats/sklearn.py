"""scikit-learn: `predict` of the estimator itself, or `predict_proba` where that gives both."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from modelwright_runtime.server.classifiers import ClassifierPredictor, gives_both
from modelwright_runtime.server.results import Outcome

from . import static_looks
from .ways import Opened, PlainPredictor, Predictor, Way


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """None where the model was logged to be asked by another function than `predict`."""
    if opened.flavor("python_function").get("predict_fn", "predict") != "predict":
        return None
    raw = opened.raw()
    static_looks.remember()
    predictor: Predictor = ClassifierPredictor(raw) if gives_both(raw) else PlainPredictor(raw.predict)
    return Way(opened.inputs.builder(), _WithoutRepeatedChecks(predictor), certain=True)


class _WithoutRepeatedChecks:
    """scikit-learn looks at each step's parameters again in every call. Those of a fitted model do not change, and what
    it answers does not depend on that look; values that come in are checked as always."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._context = _unvalidated()

    def predict(self, data: Any) -> Outcome:
        """As the predictor."""
        with self._context():
            return self._predictor.predict(data)


def _unvalidated() -> Callable[[], AbstractContextManager[Any]]:
    # The setting is a thread's own, and came with scikit-learn 1.3.
    import sklearn

    if "skip_parameter_validation" not in sklearn.get_config():
        return nullcontext
    return partial(sklearn.config_context, skip_parameter_validation=True)

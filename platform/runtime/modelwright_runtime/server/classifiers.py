"""When a classifier's probabilities give its predictions too, one pass through the pipeline is enough."""

from __future__ import annotations

from typing import Any

from .results import Outcome, as_list

# `predict` of exactly these classes is the class of the largest probability. Threshold classifiers, SVC and
# subclasses of these are not: their predictions may differ from the largest probability.
_BY_LARGEST_PROBABILITY = {
    "AdaBoostClassifier",
    "BaggingClassifier",
    "BernoulliNB",
    "CategoricalNB",
    "DecisionTreeClassifier",
    "ExtraTreeClassifier",
    "ExtraTreesClassifier",
    "GaussianNB",
    "GradientBoostingClassifier",
    "HistGradientBoostingClassifier",
    "LinearDiscriminantAnalysis",
    "LogisticRegression",
    "MLPClassifier",
    "MultinomialNB",
    "QuadraticDiscriminantAnalysis",
    "RandomForestClassifier",
}

# Closer than this, rounding decides which class is the larger one: then `predict` is asked.
_TIE = 1e-9


def gives_both(model: Any) -> bool:
    """Whether `model` is a plain scikit-learn classifier, or a pipeline that ends in one, of a known kind."""
    kind = type(model)
    if kind.__module__.startswith("sklearn.pipeline") and kind.__name__ == "Pipeline":
        model = model.steps[-1][1]
        kind = type(model)
    if not _is_known(model, kind):
        return False
    classes = getattr(model, "classes_", None)
    return hasattr(model, "predict_proba") and getattr(classes, "ndim", 0) == 1


def _is_known(model: Any, kind: type) -> bool:
    if kind.__module__.startswith("sklearn."):
        return kind.__name__ in _BY_LARGEST_PROBABILITY
    if (kind.__module__, kind.__name__) == ("xgboost.sklearn", "XGBClassifier"):
        return model.objective in ("binary:logistic", "multi:softprob")
    if (kind.__module__, kind.__name__) == ("lightgbm.sklearn", "LGBMClassifier"):
        return not callable(model.objective)  # with a loss of one's own `predict` returns raw scores
    return False


class ClassifierPredictor:
    """Predictions and probabilities of a classifier for which `gives_both` holds."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._classes = model.classes_
        self._class_list: list[Any] = self._classes.tolist()

    def predict(self, frame: Any) -> Outcome:
        """One prediction and one probability per class for each row of the DataFrame."""
        probabilities = self._model.predict_proba(frame)
        if len(self._class_list) > 1 and self._has_tie(probabilities):
            predictions = as_list(self._model.predict(frame), len(frame))
        else:
            predictions = as_list(self._classes.take(probabilities.argmax(axis=1)), len(frame))
        return Outcome(predictions, self._class_list, probabilities.tolist())

    @staticmethod
    def _has_tie(probabilities: Any) -> bool:
        if probabilities.shape[1] == 2:
            return bool((abs(probabilities[:, 0] - probabilities[:, 1]) < _TIE).any())
        ordered = probabilities.copy()
        ordered.sort(axis=1)
        return bool((ordered[:, -1] - ordered[:, -2] < _TIE).any())

"""Trains models, compiles each and prints what came of it; runs in the environment `tables`.

`python compile_models.py DIRECTORY MODEL…`: models of its own below DIRECTORY, and others that are there already.
"""

import itertools
import json
import sys
import types
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy
from mlflow.models import infer_signature
from modelwright_runtime.compiling.proving import ask, compare
from modelwright_runtime.compiling.verdict import reach
from modelwright_runtime.server.compiled import load_compiled
from modelwright_runtime.server.loading import load
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, Normalizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

NUMBERS, TEXTS = ["alcohol", "malic_acid"], ["shade", "region"]


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    """Code of a project's own."""

    def fit(self, table: Any, _target: Any = None) -> "Doubled":
        self.fitted_ = True
        return self

    def transform(self, table: Any) -> Any:
        return table * 2


def table() -> tuple[Any, Any]:
    """Wine with texts, whole numbers, and values that are missing."""
    wine = load_wine(as_frame=True)
    made = wine.data[NUMBERS].copy()
    made.loc[::9, "malic_acid"] = numpy.nan
    made["proline"] = wine.data["proline"].astype("int64")
    made["shade"] = numpy.where(wine.data["hue"] > 1, "light", "dark")
    made["region"] = [("north", "south", "west")[i % 3] for i in range(len(made))]
    return made, numpy.array(["red", "rose", "white"])[wine.target.to_numpy()]


def prepared(encoder: Any, tenure: Any) -> Any:
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_column_transformer((scaled, NUMBERS), (tenure, ["proline"]), (encoder, TEXTS))


def asked(name: str) -> dict[str, list[Any]] | None:
    """Rows that the model of that name and its compiled form are asked besides the probe set: all pairs of values."""
    near: list[Any] = [0.0, 1e-20, 1e-15, -1.0, 3.0]
    # The first three are the largest single in single precision, the others none.
    large: list[Any] = [3.4028234663852886e38, 3.4028235e38, 3.402823567797336e38, 3.4028235677973366e38, 3.5e38]
    made: dict[str, dict[str, list[Any]]] = {
        "truth": {"sweet": [True, False], "alcohol": [0.0, 13.0, 14.5]},
        "dropped": {"shade": ["dark", "light", None, "pale"], "region": ["north", "south", "west", ""]},
        "tiny": {"alcohol": [*large, *(-each for each in large)], "malic_acid": [1.0]},
        **{norm: {"alcohol": near, "malic_acid": near} for norm in ("l1", "l2", "max")},
    }
    return made.get(name)


def composed(numbers: Any, labels: Any) -> dict[str, tuple[Any, Any, Any]]:
    """Models made of others, which skl2onnx converts: with a tree somewhere inside, and of linear ones alone."""
    tree, linear = DecisionTreeClassifier(max_depth=3), LogisticRegression(max_iter=2000)
    both, amounts = [("tree", tree), ("linear", linear)], numbers["alcohol"] ** 2
    nested = VotingClassifier(
        [("deep", make_pipeline(StandardScaler(), tree)), ("linear", linear)], flatten_transform=False
    )
    boosting = [("boosting", GradientBoostingClassifier(n_estimators=2)), ("linear", linear)]
    histograms = [("bins", HistGradientBoostingRegressor(max_iter=2)), ("linear", Ridge())]
    classifiers = {
        "tree_stacked": StackingClassifier(both, cv=2),
        "tree_voted": VotingClassifier(both, flatten_transform=False),
        "tree_final": StackingClassifier([("linear", linear)], tree, cv=2),
        "tree_bagged": BaggingClassifier(tree, 2),
        "tree_adaptive": AdaBoostClassifier(tree, n_estimators=2),
        "tree_calibrated": CalibratedClassifierCV(tree, cv=2),
        "tree_nested": nested,
        "tree_boosted": VotingClassifier(boosting, voting="soft", flatten_transform=False),
        "linear_stacked": make_pipeline(StandardScaler(), StackingClassifier([("linear", linear)], cv=2)),
        "linear_voted": make_pipeline(
            StandardScaler(), VotingClassifier([("linear", linear)], flatten_transform=False)
        ),
    }
    regressors = {
        "tree_added": StackingRegressor([("tree", DecisionTreeRegressor(max_depth=3)), ("linear", Ridge())], cv=2),
        "tree_binned": StackingRegressor(histograms, cv=2),
    }
    return {
        **{name: (model, numbers, labels) for name, model in classifiers.items()},
        **{name: (model, numbers, amounts) for name, model in regressors.items()},
    }


def small(numbers: Any) -> dict[str, tuple[Any, Any, Any]]:
    """Regressors of targets around a millionth; the last is computed in single precision, too coarse for its input."""
    target = (numpy.sin(numbers["alcohol"]) + numbers["malic_acid"] ** 2) * 1e-6
    late = numbers.assign(alcohol=numbers["alcohol"] + 1.7e9)
    return {
        "tiny": (DecisionTreeRegressor(max_depth=4), numbers, target),
        "tiny_linear": (make_pipeline(StandardScaler(), LinearRegression()), numbers, target),
        "tiny_wrong": (KNeighborsRegressor(3), late, target),
    }


def train(directory: Path) -> list[Path]:
    rows, labels = table()
    # The categories that the encoder drops stand in no example.
    examples = {"dropped": rows[(rows["shade"] == "light") & (rows["region"] == "west")][TEXTS]}
    numbers = rows[["alcohol", "proline"]]
    any_text = OneHotEncoder(handle_unknown="ignore")
    bins = KBinsDiscretizer(n_bins=4, encode="onehot-dense", quantile_method="averaged_inverted_cdf")
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    changed = LogisticRegression(max_iter=2000).fit(numbers, labels)

    def turned(self: Any, given: Any) -> Any:
        said = LogisticRegression.predict(self, given)
        return numpy.where(given["alcohol"].to_numpy() > 14, "rose", said)

    changed.predict = types.MethodType(turned, changed)
    models = {
        "logistic": (make_pipeline(prepared(any_text, bins), LogisticRegression(max_iter=2000)), rows, labels),
        "boosted": (
            make_pipeline(prepared(any_text, StandardScaler()), GradientBoostingClassifier(n_estimators=8)),
            rows,
            labels,
        ),
        "strict": (make_pipeline(prepared(OneHotEncoder(), "passthrough"), LogisticRegression()), rows, labels),
        "dropped": (make_pipeline(OneHotEncoder(drop="first"), LogisticRegression()), rows[TEXTS], labels),
        "forest": (
            make_pipeline(prepared(codes, "passthrough"), RandomForestClassifier(15, random_state=1)),
            rows,
            labels == "red",
        ),
        "histogram": (HistGradientBoostingRegressor(max_iter=15), rows[NUMBERS], numpy.exp(rows["alcohol"] - 10)),
        "own_code": (make_pipeline(Doubled(), LogisticRegression()), numbers, labels),
        # The first is computed here, the second as skl2onnx has it.
        "network": (make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=30)), numbers, labels),
        "machine": (make_pipeline(StandardScaler(), SVC()), numbers, labels),
        "chosen": (FixedThresholdClassifier(LogisticRegression(), threshold=0.3), numbers, labels == "red"),
        "changed": (changed, numbers, None),
    }
    sweet = numbers.assign(sweet=rows["proline"] > 700)[["alcohol", "sweet"]]
    models["truth"] = (LogisticRegression(max_iter=2000), sweet, labels)
    both = rows[NUMBERS].fillna(1.0)
    for norm in ("l1", "l2", "max"):
        models[norm] = (make_pipeline(Normalizer(norm), LogisticRegression()), both, labels)
    models |= composed(numbers, labels) | small(both)
    for name, (model, taken, target) in models.items():
        fitted = model if target is None else model.fit(taken, target)
        mlflow.sklearn.save_model(
            fitted,
            directory / name,
            signature=infer_signature(taken, fitted.predict(taken)),
            input_example=examples.get(name, taken.dropna()).head(4),
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
    matrix = numbers.to_numpy("float32")
    forest = RandomForestClassifier(10, random_state=1).fit(matrix, labels)
    mlflow.sklearn.save_model(
        forest,
        directory / "matrix",
        signature=infer_signature(matrix, forest.predict(matrix)),
        input_example=matrix[:4],
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    return [directory / name for name in (*models, "matrix")]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for place in [*train(folder), *map(Path, sys.argv[2:])]:
        made = folder / "compiled" / place.name
        found = {"name": place.name, **reach(place, made)}
        if (values := asked(place.name)) is not None:
            pairs = list(itertools.product(*values.values()))
            said = ask(load(place), list(values), pairs)
            apart = compare(said, ask(load_compiled(made), list(values), pairs))
            found["apart"] = [apart.labels, apart.refusals, apart.scores, sum(not each.refused for each in said)]
        print(json.dumps(found))

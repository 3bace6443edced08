"""Fit two models on scikit-learn's digits, which stand in for X-rays, measure both steps together, register both.

A digit from 5 to 9 is "ill", and which one it is is the type of the illness. The detector says ill or well; the types
model, which has seen ill images alone, says the type.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
if "MLFLOW_TRACKING_URI" not in os.environ:
    # By hand, outside the platform: keep everything in a folder beside the script.
    os.environ["MLFLOW_TRACKING_URI"] = (HERE / "mlruns").as_uri()
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", "two-steps")

import mlflow  # noqa: E402 - it reads the variables above
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from mlflow.models import infer_signature  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.ensemble import ExtraTreesClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.pipeline import Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler  # noqa: E402

# skops saves models without pickle and asks which further types may be loaded: these two are data, not code.
TRUSTED_TYPES = ["numpy.dtype", "sklearn.tree._tree.Tree"]
ILL, WELL = "ill", "well"
SEED = 7
# As in the graph of modelwright.yaml: below the first nothing is found, below the second a human is asked.
LEAST_ILL, LEAST_SURE = 0.2, 0.6


def images() -> tuple[pd.DataFrame, pd.Series]:
    """Each image as 64 columns named after row and column, and the digit that it shows."""
    digits = load_digits()
    names = [f"r{row}c{column}" for row in range(8) for column in range(8)]
    return pd.DataFrame(digits.data, columns=names), pd.Series(digits.target, name="digit")


def held_out() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series, pd.Series]:
    """The images to learn from, those held out, and the digits of both."""
    x, digit = images()
    x, x_test, digit, digit_test = train_test_split(x, digit, test_size=0.3, random_state=SEED, stratify=digit)
    return x, x_test, digit, digit_test


def chance(model: ExtraTreesClassifier, x: pd.DataFrame, label: str) -> np.ndarray:
    """The probability of a class, for each image."""
    return model.predict_proba(x)[:, list(model.classes_).index(label)]


def measure(detector: ExtraTreesClassifier, types: Pipeline, x: pd.DataFrame, digit: pd.Series) -> dict[str, float]:
    """What the graph makes of images that neither model has seen."""
    is_ill = (digit >= 5).to_numpy()
    passed_on = chance(detector, x, ILL) >= LEAST_ILL
    is_sure = types.predict_proba(x).max(axis=1) >= LEAST_SURE
    is_right = types.predict(x) == digit.to_numpy()
    named = passed_on & is_sure
    return {
        "ill_found": float(passed_on[is_ill].mean()),
        "well_passed_on": float(passed_on[~is_ill].mean()),
        "asked_a_human": float((passed_on & ~is_sure).mean()),
        "type_right_where_named_and_ill": float(is_right[named & is_ill].mean()),
    }


def register(model: ExtraTreesClassifier | Pipeline, x: pd.DataFrame, said: pd.Series, name: str) -> None:
    """Log the model and register a version of it."""
    requirements = (HERE / "requirements.txt").read_text().splitlines()
    mlflow.sklearn.log_model(
        model,
        name=name,
        signature=infer_signature(x, said),
        input_example=x.head(1),
        registered_model_name=name,
        skops_trusted_types=TRUSTED_TYPES,
        pip_requirements=[line for line in requirements if line],
    )


def main() -> None:
    """Fit, measure, log and register."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=100, help="of the detector")
    parser.add_argument("--c", type=float, default=1.0, help="inverse of the regularisation of the types model")
    parser.add_argument("--prefix", default="two-steps", help="begins the names of both registered models")
    options = parser.parse_args()

    x, x_test, digit, digit_test = held_out()
    ill = digit >= 5
    with mlflow.start_run(run_name="train", tags={"step": "train"}):
        detector = ExtraTreesClassifier(options.trees, random_state=SEED).fit(x, np.where(ill, ILL, WELL))
        types = make_pipeline(MinMaxScaler(), LogisticRegression(C=options.c, max_iter=1000)).fit(x[ill], digit[ill])
        measured = measure(detector, types, x_test, digit_test)
        mlflow.log_params({**vars(options), "seed": SEED, "least_ill": LEAST_ILL, "least_sure": LEAST_SURE})
        mlflow.log_metrics(measured)
        mlflow.log_input(mlflow.data.from_pandas(x.assign(digit=digit), name="digits", targets="digit"), "training")
        register(detector, x, pd.Series(detector.predict(x), name="finding"), f"{options.prefix}-detector")
        register(types, x, pd.Series(types.predict(x), name="type"), f"{options.prefix}-types")
        print(", ".join(f"{name} {value:.3f}" for name, value in measured.items()))


if __name__ == "__main__":
    main()

"""Fit a decision tree on the iris data that scikit-learn carries, measure it, register a version of the model."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
if "MLFLOW_TRACKING_URI" not in os.environ:
    # By hand, outside the platform: keep everything in a folder beside the script.
    os.environ["MLFLOW_TRACKING_URI"] = (HERE / "mlruns").as_uri()
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", "iris")

import mlflow  # noqa: E402 - it reads the variables above
import pandas as pd  # noqa: E402
from mlflow.models import infer_signature  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.metrics import accuracy_score, f1_score  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.tree import DecisionTreeClassifier, export_text  # noqa: E402

# skops saves models without pickle and asks which further types may be loaded: these two are data, not code.
TRUSTED_TYPES = ["numpy.dtype", "sklearn.tree._tree.Tree"]
SEED = 7


def main() -> None:
    """Fit, measure, log and register."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=int, default=3, help="levels of the tree")
    parser.add_argument("--register-as", default="iris", help="name of the registered model")
    options = parser.parse_args()

    data = load_iris(as_frame=True)
    flowers = data.data.rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))
    species = data.target.map(dict(enumerate(map(str, data.target_names)))).rename("species")
    x, x_test, y, y_test = train_test_split(flowers, species, test_size=0.25, random_state=SEED, stratify=species)

    with mlflow.start_run(run_name="train", tags={"step": "train"}):
        tree = DecisionTreeClassifier(max_depth=options.depth, random_state=SEED).fit(x, y)
        said = tree.predict(x_test)
        measured = {"accuracy": accuracy_score(y_test, said), "f1_macro": f1_score(y_test, said, average="macro")}
        mlflow.log_params({**vars(options), "seed": SEED})
        mlflow.log_metrics(measured)
        table = mlflow.data.from_pandas(x.assign(species=y), name="iris", targets="species")
        mlflow.log_input(table, context="training")
        mlflow.log_text(export_text(tree, feature_names=list(x.columns)), "explanation/tree.txt")
        requirements = (HERE / "requirements.txt").read_text().splitlines()
        mlflow.sklearn.log_model(
            tree,
            name="model",
            signature=infer_signature(x, pd.Series(said, name="species")),
            input_example=x.head(3),
            registered_model_name=options.register_as,
            skops_trusted_types=TRUSTED_TYPES,
            pip_requirements=[line for line in requirements if line],
        )
        print(", ".join(f"{name} {value:.3f}" for name, value in measured.items()))


if __name__ == "__main__":
    main()

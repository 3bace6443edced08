"""Trains the random forest on arrays: `python model_forest.py MODEL_DIRECTORY RECORDS_FILE`; digits of 64 pixels."""

import json
import sys
from pathlib import Path

import mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier


def main(directory: str, records: str) -> None:
    digits = load_digits()
    model = RandomForestClassifier(100, random_state=1).fit(digits.data, digits.target)
    mlflow.sklearn.save_model(
        model,
        directory,
        signature=infer_signature(digits.data, model.predict(digits.data)),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    Path(records).write_text(json.dumps(digits.data[:500].tolist()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

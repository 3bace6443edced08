"""Trains the models of the two-step X-ray case on scikit-learn's digits, which stand in for X-rays: an image of a digit
from 5 to 9 is ill, and which digit it is is the type of the illness. `python train_xray.py DIRECTORY`; leaves
`held-out.json`, images that no model has seen."""

import json
import sys
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy
from mlflow.models import infer_signature
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler


def flatten(images: Any) -> Any:
    """Images as rows of numbers."""
    return numpy.asarray(images).reshape(len(images), -1)


class Transformer(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """What a scikit-learn transformer makes of its input; MLflow itself serves only what predicts."""

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return self.transformer.transform(model_input)


def save(model: Any, path: Path, given: Any) -> None:
    mlflow.sklearn.save_model(
        model,
        path,
        signature=infer_signature(given, model.predict(given)),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )


def main(directory: Path) -> None:
    digits = load_digits()
    images, labels = digits.images.astype("float64"), digits.target
    images, held, labels, truth = train_test_split(images, labels, test_size=0.3, random_state=7, stratify=labels)
    scaler = make_pipeline(FunctionTransformer(flatten), MinMaxScaler()).fit(images)
    scaled = scaler.transform(images)
    ill = labels >= 5
    detector = MLPClassifier(48, max_iter=150, random_state=1)
    detector.fit(scaled, numpy.where(ill, "ill", "well"))
    types = LogisticRegression(max_iter=500).fit(scaled[ill], labels[ill])
    mlflow.pyfunc.save_model(
        directory / "xray-scaler",
        python_model=Transformer(scaler),
        signature=infer_signature(images, scaled),
        pip_requirements=["scikit-learn"],
    )
    save(detector, directory / "xray-detector", scaled)
    save(types, directory / "xray-types", scaled)
    held_out = [{"image": image.tolist(), "digit": int(digit)} for image, digit in zip(held, truth, strict=True)]
    (directory / "held-out.json").write_text(json.dumps(held_out))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Trains the small convolutional network: `python model_cnn.py MODEL_DIRECTORY RECORDS_FILE`; digits of 8 × 8."""

import json
import sys
from pathlib import Path

import keras  # type: ignore[import-not-found, unused-ignore]
import mlflow.tensorflow
from mlflow.models import infer_signature
from sklearn.datasets import load_digits


def main(directory: str, records: str) -> None:
    digits = load_digits()
    images = (digits.images[..., None] / 16).astype("float32")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images, digits.target, epochs=2, verbose=0)
    signature = infer_signature(images, model.predict(images[:2], verbose=0))
    mlflow.tensorflow.save_model(model, directory, signature=signature, pip_requirements=["tensorflow-cpu"])
    Path(records).write_text(json.dumps(images[:500].round(4).tolist()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

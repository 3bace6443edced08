"""Trains TensorFlow models; runs in the environment `tensors`: `python train_tensors.py DIRECTORY`."""

import sys
from pathlib import Path
from typing import Any

import keras
import mlflow.keras
import mlflow.tensorflow
import numpy
import tensorflow
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types import Schema, TensorSpec
from training import keep


def images(count: int = 256) -> tuple[Any, Any]:
    """Pictures of 28 by 28 with a bright half, and which half it is."""
    generator = numpy.random.default_rng(1)
    pictures = generator.random((count, 28, 28), dtype="float32") * 0.3
    halves = generator.integers(0, 4, count)
    for picture, half in zip(pictures, halves, strict=True):
        [picture[:14], picture[14:], picture[:, :14], picture[:, 14:]][half][...] += 0.5
    return pictures, halves


def classifier(directory: Path) -> None:
    pictures, halves = images()
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(4, 5, strides=3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(pictures, halves, epochs=8, verbose=0)
    said = model.predict(pictures[:6], verbose=0)
    mlflow.tensorflow.save_model(
        model,
        directory / "keras_images",
        signature=infer_signature(pictures, said),
        input_example=pictures[:2],
        pip_requirements=["tensorflow-cpu"],
    )
    keep(directory / "keras_images", [[each] for each in pictures[:6].tolist()], said, wrong=[[[1.0, 2.0]]])


def two_inputs_two_outputs(directory: Path) -> None:
    wide, deep = keras.Input((3,), name="wide"), keras.Input((2,), name="deep")
    joined = keras.layers.Concatenate()([wide, keras.layers.Dense(4, activation="tanh")(deep)])
    price, risk = keras.layers.Dense(1, name="price")(joined), keras.layers.Dense(2, name="risk")(joined)
    model = keras.Model([wide, deep], [price, risk])
    generator = numpy.random.default_rng(1)
    data = {"wide": generator.random((2, 3), dtype="float32"), "deep": generator.random((2, 2), dtype="float32")}
    prices, risks = model.predict(data, verbose=0)
    columns = Schema(
        [TensorSpec(numpy.dtype("float32"), (-1, 3), "wide"), TensorSpec(numpy.dtype("float32"), (-1, 2), "deep")]
    )
    place = directory / "keras_outputs"
    place.mkdir()  # this flavour writes the example before it makes the folder
    mlflow.keras.save_model(
        model,
        str(place),
        signature=ModelSignature(columns),
        input_example=data,
        pip_requirements=["tensorflow-cpu"],
    )
    rows = [list(cells) for cells in zip(data["wide"].tolist(), data["deep"].tolist(), strict=True)]
    said = [{"price": price, "risk": risk} for price, risk in zip(prices, risks, strict=True)]
    keep(place, rows, said, columns=["wide", "deep"], wrong=[[1.0, 2.0], [1.0, 2.0]])


POINTS = tensorflow.TensorSpec([None, 2], tensorflow.float32, "x")


class Line(tensorflow.Module):  # type: ignore[misc, name-defined, unused-ignore]
    """A straight line as a SavedModel without Keras."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = tensorflow.Variable([[2.0], [1.0]])

    @tensorflow.function(input_signature=[POINTS])  # type: ignore[untyped-decorator, unused-ignore]
    def __call__(self, x: Any) -> Any:
        return {"y": tensorflow.linalg.matmul(x, self.slope) + 1.0}


def saved_model(directory: Path) -> None:
    place, line = directory / "saved_model", Line()
    mlflow.tensorflow.save_model(
        line,
        place,
        saved_model_kwargs={"signatures": line.__call__.get_concrete_function()},
        signature=ModelSignature(Schema([TensorSpec(numpy.dtype("float32"), (-1, 2), "x")])),
        input_example={"x": numpy.array([[1, 2], [3, 4]], dtype="float32")},
        pip_requirements=["tensorflow-cpu"],
    )
    keep(place, [[[1.0, 2.0]], [[3.0, 4.0]]], [{"y": [5.0]}, {"y": [11.0]}], columns=["x"], wrong=[[1.0, 2.0, 3.0]])


def main(directory: Path) -> None:
    directory.mkdir(parents=True)
    keras.utils.set_random_seed(1)
    classifier(directory)
    two_inputs_two_outputs(directory)
    saved_model(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

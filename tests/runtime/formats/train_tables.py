"""Trains a model of each format for tables; runs in the environment `tables`: `python train_tables.py DIRECTORY`."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import mlflow.artifacts
import mlflow.lightgbm
import mlflow.onnx
import mlflow.pyfunc
import mlflow.xgboost
import numpy
import onnx
import pandas
import pmml_writer
import skl2onnx
import xgboost
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types import Schema, TensorSpec
from modelwright_runtime.flavors import pmml, python_class
from onnx import TensorProto, helper, numpy_helper
from scoring.rules import Brightness, Points
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from training import keep, table_rows


def wine() -> tuple[Any, Any]:
    """Numbers alone, some of them whole and some missing."""
    bunch = load_wine(as_frame=True)
    table = bunch.data[["alcohol", "malic_acid", "hue"]].copy()
    table["proline"] = bunch.data["proline"].astype("int64")
    return table, bunch.target.to_numpy()


def boosted(directory: Path) -> None:
    table, target = wine()
    gaps = table.copy()
    gaps.loc[::7, "malic_acid"] = numpy.nan
    matrix = xgboost.DMatrix(gaps)
    words = numpy.array(["red", "rose", "white"])[target]

    def save(name: str, save_model: Any, model: Any, said: Any, proba: Any = None, **options: Any) -> None:
        """With the first rows as example and the first and last ones as test."""
        save_model(
            model,
            directory / name,
            signature=infer_signature(gaps, said),
            input_example=gaps.head(8),
            pip_requirements=[name.partition("_")[0]],
            **options,
        )
        some = [0, 1, 70, 177]
        keep(
            directory / name,
            table_rows(gaps.iloc[some]),
            said[some],
            columns=gaps.columns,
            classes=None if proba is None else model.classes_,
            probabilities=None if proba is None else proba[some],
            wrong=["text", 1.0, 1.0, 1],
        )

    classifier = xgboost.XGBClassifier(n_estimators=10, max_depth=3).fit(gaps, target)
    proba = classifier.predict_proba(gaps)
    save("xgboost_classifier", mlflow.xgboost.save_model, classifier, classifier.predict(gaps), proba)
    options = {"objective": "binary:logistic", "max_depth": 3}
    booster = xgboost.train(options, xgboost.DMatrix(gaps, label=target == 1), 10)
    save("xgboost_booster", mlflow.xgboost.save_model, booster, booster.predict(matrix))
    quiet = {"n_estimators": 10, "min_child_samples": 5, "verbose": -1}
    light = lightgbm.LGBMClassifier(**quiet).fit(gaps, words)
    proba = light.predict_proba(gaps)
    pickled = {"serialization_format": "cloudpickle"}
    save("lightgbm_classifier", mlflow.lightgbm.save_model, light, light.predict(gaps), proba, **pickled)
    tree = lightgbm.train({"objective": "regression", "verbose": -1}, lightgbm.Dataset(gaps, label=target), 10)
    save("lightgbm_booster", mlflow.lightgbm.save_model, tree, tree.predict(gaps))


def onnx_tables(directory: Path) -> None:
    table, target = wine()
    requirements = ["onnxruntime"]
    forest = RandomForestClassifier(10, random_state=1).fit(table.to_numpy("float32"), target)
    types = [("features", FloatTensorType([None, 4]))]
    converted = skl2onnx.to_onnx(forest, initial_types=types, options={"zipmap": False})
    mlflow.onnx.save_model(
        converted,
        directory / "onnx_matrix",
        signature=infer_signature(table),
        input_example=table.head(4),
        pip_requirements=requirements,
    )
    some = table.iloc[[0, 1, 70, 177]]
    features = some.to_numpy("float32")
    pairs = zip(forest.predict(features), forest.predict_proba(features), strict=True)
    said = [{"label": label, "probabilities": shares} for label, shares in pairs]
    columns = table.columns
    keep(directory / "onnx_matrix", table_rows(some), said, columns=columns, wrong=["text", 1.0, 1.0, 1])

    mixed = table[["alcohol", "hue"]].astype("float32")
    mixed["shade"] = numpy.where(mixed["hue"] > 1, "light", "dark")
    transformer = make_column_transformer(
        (StandardScaler(), ["alcohol", "hue"]), (OneHotEncoder(handle_unknown="ignore"), ["shade"])
    )
    pipeline = make_pipeline(transformer, LogisticRegression())
    pipeline.fit(mixed, numpy.array(["red", "rose", "white"])[target])
    numbers = [("alcohol", FloatTensorType([None, 1])), ("hue", FloatTensorType([None, 1]))]
    converted = skl2onnx.to_onnx(pipeline, initial_types=[*numbers, ("shade", StringTensorType([None, 1]))])
    mlflow.onnx.save_model(
        converted,
        directory / "onnx_columns",
        signature=infer_signature(mixed),
        input_example=mixed.head(4),
        pip_requirements=requirements,
    )
    some = mixed.iloc[[0, 1, 70, 177]]
    pairs = zip(pipeline.predict(some), pipeline.predict_proba(some), strict=True)
    said = [
        {"output_label": label, "output_probability": dict(zip(pipeline.classes_, shares.tolist(), strict=True))}
        for label, shares in pairs
    ]
    keep(directory / "onnx_columns", table_rows(some), said, columns=mixed.columns, wrong=["text", 1.0, "dark"])


def onnx_images(directory: Path) -> None:
    digits = load_digits()
    line = LogisticRegression(max_iter=300).fit(digits.data, digits.target)
    scores = line.predict_proba(digits.data[:6])
    for name, batch in (("onnx_images", None), ("onnx_batch_of_4", 4)):
        mlflow.onnx.save_model(
            softmax(line, batch),
            directory / name,
            signature=ModelSignature(
                Schema([TensorSpec(numpy.dtype("float32"), (-1, 8, 8))]),
                Schema([TensorSpec(numpy.dtype("float32"), (-1, 10), "scores")]),
            ),
            input_example=digits.images[:4].astype("float32"),
            pip_requirements=["onnxruntime"],
        )
        rows = [[image] for image in digits.images[:6].tolist()]
        keep(directory / name, rows, [{"scores": each} for each in scores], wrong=[[[1.0, 2.0], [3.0, 4.0]]])


def softmax(line: Any, batch: int | None) -> Any:
    """The fitted logistic regression as a network over images of 8 by 8."""
    weights = numpy_helper.from_array(line.coef_.T.astype("float32"), "weights")
    bias = numpy_helper.from_array(line.intercept_.astype("float32"), "bias")
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 10])],
        [weights, bias],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    made.producer_name = "tests"
    onnx.checker.check_model(made)
    return made


class Shares(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Several outputs: a tuple of arrays."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input.sum(axis=1), model_input / model_input.sum(axis=1, keepdims=True)


def log_in_a_run(store: Path, log: Any) -> str:
    """Where the files of a model lie that was logged and registered by mlflow's own client."""
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    mlflow.set_tracking_uri(store.as_uri())
    mlflow.set_experiment("tests")
    with mlflow.start_run():
        info = log()
    found: str = mlflow.artifacts.download_artifacts(f"models:/brightness/{info.registered_model_version}")
    return found


def own(directory: Path) -> None:
    mlflow.pyfunc.save_model(
        directory / "pyfunc_outputs",
        python_model=Shares(),
        signature=ModelSignature(Schema([TensorSpec(numpy.dtype("float64"), (-1, 3))])),
        pip_requirements=["numpy"],
    )
    said: Any = [[3.0, [1 / 3, 1 / 3, 1 / 3]], [4.0, [0.25, 0.25, 0.5]]]
    keep(directory / "pyfunc_outputs", [[[1.0, 1.0, 1.0]], [[1.0, 1.0, 2.0]]], said, wrong=[[1.0, 2.0]])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "weights.json").write_text(json.dumps({"age": 0.5, "income": 0.001}))
        Path(folder, "gain.txt").write_text("2.0")
        example = pandas.DataFrame({"age": [40, 20], "income": [60000.0, 1000.0]})
        python_class.save_model(directory / "class_table", Points, artifacts=folder, input_example=example)
        said = [{"points": 80.0, "grade": "good"}, {"points": 11.0, "grade": "poor"}]
        place = directory / "class_table"
        keep(place, table_rows(example), said, columns=example.columns, wrong=[-1, 10.0])
        images = numpy.arange(18, dtype="uint8").reshape(2, 3, 3)
        logged = log_in_a_run(
            Path(folder, "tracking"),
            lambda: python_class.log_model(
                Brightness,
                artifacts=Path(folder, "gain.txt"),
                input_example=images,
                registered_model_name="brightness",
            ),
        )
        shutil.copytree(logged, directory / "class_images")
        rows = [[image] for image in images.tolist()]
        keep(directory / "class_images", rows, [8.0, 26.0], wrong=[[[1, 2, 3], [4, 5, 256], [7, 8, 9]]])


def pmml_documents(directory: Path) -> None:
    table, target = wine()
    table = table.astype("float64")
    words = numpy.array(["red", "rose", "white"])[target]
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, words)
    forest = RandomForestClassifier(10, max_depth=5, random_state=1).fit(table.to_numpy(), words)
    some = table.iloc[[0, 1, 70, 100, 177]]
    columns = list(table.columns)
    for name, text, model, given in (
        ("pmml_regression", pmml_writer.logistic(scaled, columns), scaled, some),
        ("pmml_forest", pmml_writer.forest(forest, columns), forest, some.to_numpy()),
    ):
        document = directory / f"{name}.pmml"
        document.write_text(text)
        pmml.save_model(directory / name, document, input_example=some.head(2))
        keep(
            directory / name,
            table_rows(some),
            model.predict(given),
            columns=columns,
            classes=model.classes_,
            probabilities=model.predict_proba(given),
            wrong=["text", 1.0, 1.0, 1.0],
        )


def main(directory: Path) -> None:
    directory.mkdir(parents=True)
    pmml_documents(directory)
    boosted(directory)
    onnx_tables(directory)
    onnx_images(directory)
    own(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

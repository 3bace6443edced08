"""Trains the models of these tests; runs inside the model environment: `python train_models.py DIRECTORY`."""

import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy
import pandas
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import Array, ColSpec, Map, Object, Property, Schema
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

NUMBERS = ["alcohol", "malic_acid", "proline"]
CATEGORIES = ["shade", "region"]


def records() -> tuple[Any, Any]:
    """Wine, with a text column, a whole-number column and a column in which values are missing."""
    wine = load_wine(as_frame=True)
    table = wine.data[["alcohol", "malic_acid"]].copy()
    table.loc[::9, "malic_acid"] = numpy.nan
    table["proline"] = wine.data["proline"].astype("int64")
    table["shade"] = numpy.where(wine.data["hue"] > 1, "light", "dark")
    table["region"] = [("north", "south", "west")[i % 3] for i in range(len(table))]
    return table, wine.target.to_numpy()


def pipeline(final: Any, *first: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        *first,
        make_column_transformer((numbers, NUMBERS), (OneHotEncoder(handle_unknown="ignore"), CATEGORIES)),
        final,
    )


def react(table: Any) -> Any:
    """What a model of real life does now and then: raise, be slow, leave the process."""
    if (table["alcohol"] == -1).any():
        raise RuntimeError("alcohol cannot be negative")
    if (table["alcohol"] == -2).any():
        time.sleep(3)
    if (table["alcohol"] == -3).any():
        os._exit(9)
    if (table["alcohol"] == -4).any():
        sys.exit("a model that leaves")
    return table


class Table(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Returns a table, one row per record."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return pandas.DataFrame({"double": model_input["x"] * 2, "text": model_input["t"].str.upper()})


class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Returns what it was given; registered without a signature."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input


class Frozen(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Returns how many objects of its process the search for cycles leaves out."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return [gc.get_freeze_count()] * len(model_input)


class Told(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Returns each row as text: its values in the order of the columns, as Python writes them. Columns without names
    are read by their numbers, as in a table made of lists."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        places = list(range(model_input.shape[1]))
        rows = model_input if "item" in model_input else model_input[places]
        return [repr([told(value) for value in row]) for row in rows.itertuples(index=False)]


def told(value: Any) -> Any:
    """A value as Python's own."""
    if isinstance(value, dict):
        return {name: told(item) for name, item in value.items()}
    if isinstance(value, list):
        return [told(item) for item in value]
    return value.item() if isinstance(value, numpy.generic) else value


ITEM = Object(
    [
        Property("sku", "string"),
        Property("price", "double"),
        Property("note", "string", required=False),
        Property("sizes", Array(Object([Property("count", "long")])), required=False),
    ]
)
INPUTS = {
    "nested": Schema(
        [
            ColSpec(ITEM, "item"),
            ColSpec(Map("double"), "shares"),
            ColSpec(Array(Array("long")), "grid"),
            ColSpec(Array(ITEM), "others"),
            ColSpec(Object([Property("at", "datetime")]), "seen", required=False),
        ]
    ),
    "pair": Schema([ColSpec("double"), ColSpec("double")]),
    "texts": Schema([ColSpec("string")]),
}


def flatten(images: Any) -> Any:
    """Images as rows of numbers."""
    return images.reshape(len(images), -1)


def save(model: Any, path: Path, table: Any) -> None:
    mlflow.sklearn.save_model(
        model,
        path,
        signature=infer_signature(table, model.predict(table)),
        input_example=table.head(5),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )


def main(directory: Path) -> None:
    table, target = records()
    for name in ("one", "two"):
        labels = numpy.array([f"{name}:{number}" for number in target])
        save(pipeline(LogisticRegression(max_iter=500)).fit(table, labels), directory / name, table)
    moody = pipeline(RandomForestClassifier(10, random_state=1), FunctionTransformer(react)).fit(table, target)
    save(moody, directory / "moody", table)
    regressor = pipeline(RandomForestRegressor(10, random_state=1)).fit(table, target)
    save(regressor, directory / "regressor", table)
    example = pandas.DataFrame({"x": [1.5, 2.5], "t": ["a", "b"]})
    mlflow.pyfunc.save_model(
        directory / "table",
        python_model=Table(),
        signature=infer_signature(example, pandas.DataFrame({"double": [3.0], "text": ["A"]})),
        pip_requirements=["pandas"],
    )
    mlflow.pyfunc.save_model(directory / "echo", python_model=Echo(), pip_requirements=["pandas"])
    mlflow.pyfunc.save_model(directory / "frozen", python_model=Frozen(), pip_requirements=["pandas"])
    for name, inputs in INPUTS.items():
        signature = ModelSignature(inputs=inputs)
        mlflow.pyfunc.save_model(
            directory / name, python_model=Told(), signature=signature, pip_requirements=["pandas"]
        )
    digits = load_digits()
    images = digits.images.astype("float32")
    reader = make_pipeline(FunctionTransformer(flatten), LogisticRegression(max_iter=50)).fit(images, digits.target)
    mlflow.sklearn.save_model(
        reader,
        directory / "digits",
        signature=infer_signature(images, reader.predict(images)),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

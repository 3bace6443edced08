"""Models whose signature says all that MLflow knows, answering as a replica would; runs inside the model environment:
`python enforced_models.py DIRECTORY`.

Reads `[model, columns, rows]` as JSON, one a line, from stdin; writes `[predictions, null]` or `[null, error]`."""

import json
import sys
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import pandas
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import AnyType, Array, ColSpec, Map, Object, Property, Schema
from modelwright_runtime.server.loading import load
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

KINDS = ("boolean", "integer", "long", "float", "double", "string", "datetime", "binary")
PRICE = Object([Property("sku", "string"), Property("price", "double"), Property("of", "float", required=False)])
TYPES: dict[str, Any] = {
    **{kind: kind for kind in KINDS},
    **{f"list of {kind}": Array(kind) for kind in KINDS},
    "list of lists": Array(Array("double")),
    "item": Object([Property("at", "datetime"), Property("count", "integer"), Property("prices", Array(PRICE))]),
    "shares": Map("double"),
}


class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Says of each row what it was given: the dtype of the column, and the value with its class."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        told: list[dict[str, str]] = [{} for _ in range(len(model_input))]
        for name in model_input:
            column = model_input[name]
            for row, value in zip(told, column, strict=True):
                row[name] = f"{column.dtype} {_told(value)}"
        return told


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_told(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_told, value)) + "]"
    return f"{type(value).__name__} {value}"


class AsItIs(BaseEstimator):  # type: ignore[misc, unused-ignore]
    """The last step of a pipeline."""

    def fit(self, table: Any, target: Any = None) -> "AsItIs":
        self.fitted_ = True
        return self

    def predict(self, table: Any) -> Any:
        return table[:, 0]


def _is_late(table: Any) -> Any:
    return (table["at"] > pandas.Timestamp("2026-01-31T11:30:00")).to_numpy().reshape(-1, 1)


def _save(directory: Path) -> None:
    required = [ColSpec(kind, f"the {name}") for name, kind in TYPES.items()]
    anything: Any = AnyType
    optional = [ColSpec(kind, name, required=False) for name, kind in {**TYPES, "any": anything()}.items()]
    mlflow.pyfunc.save_model(
        directory / "echo",
        python_model=Echo(),
        signature=ModelSignature(inputs=Schema([*required, *optional])),
        pip_requirements=["pandas"],
    )
    table = pandas.DataFrame({"at": pandas.to_datetime(["2026-01-31T11:00:00", "2026-01-31T12:00:00"])})
    mlflow.sklearn.save_model(
        make_pipeline(FunctionTransformer(_is_late), AsItIs()).fit(table),
        directory / "late",
        signature=infer_signature(table),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )


def main(directory: Path) -> None:
    _save(directory)
    models = {path.name: load(path) for path in directory.iterdir()}
    print("ready", flush=True)
    for line in sys.stdin:
        model, columns, rows = json.loads(line)
        try:
            answer: list[Any] = [models[model].predict(columns, rows).predictions, None]
        except Exception as error:
            answer = [None, f"{type(error).__name__}: {error}"]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

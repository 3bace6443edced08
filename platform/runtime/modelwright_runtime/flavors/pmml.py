"""A PMML document as an MLflow model, evaluated by `modelwright_runtime.pmml` without Java.

    from modelwright_runtime.flavors import pmml
    pmml.log_model("outputs/model.pmml", name="model", registered_model_name="credit")

The signature is the document's own: its mining schema and data dictionary. What the evaluator does not support is
refused here, with the name of the element, and not when somebody asks for a prediction.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelwright_runtime.pmml.document import PmmlError
from modelwright_runtime.pmml.evaluator import Evaluator, open_document

from . import saving
from .saving import FlavorError

FLAVOR = "pmml"

_TYPES = {"double": "double", "float": "float", "integer": "long", "string": "string", "boolean": "boolean"}

PathLike = str | Path


def log_model(
    path: PathLike,
    name: str = "model",
    *,
    registered_model_name: str | None = None,
    signature: Any = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
) -> Any:
    """Log the document at `path` in the active run; mlflow's ModelInfo. Raises `FlavorError`."""
    arguments = {
        "pmml": path,
        "signature": signature,
        "input_example": input_example,
        "pip_requirements": pip_requirements,
        "metadata": metadata,
    }
    return saving.log(
        sys.modules[__name__], name=name, registered_model_name=registered_model_name, arguments=arguments
    )


def save_model(
    path: PathLike,
    pmml: PathLike,
    *,
    signature: Any = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
    mlflow_model: Any = None,
) -> None:
    """Write the model's folder; `pmml` is the path of the document."""
    document = Path(pmml)
    try:
        evaluator = open_document(document)
    except OSError as error:
        raise FlavorError(f"the document {document} cannot be read: {error}; write it before it is logged") from error
    except PmmlError as error:
        raise FlavorError(
            f"{document.name} cannot be served: {error}. docs/formats.md lists what is supported; "
            "where the tool that made it can write ONNX, log that instead"
        ) from error
    saving.save(
        path,
        flavor=FLAVOR,
        loader_module=__name__,
        data=document,
        conf={"kind": evaluator.element.tag, "version": str(evaluator.root.get("version", ""))},
        mlflow_model=mlflow_model,
        signature=signature_of(evaluator) if signature is None else signature,
        input_example=input_example,
        pip_requirements=pip_requirements or saving.requirements("numpy", "pandas"),
        metadata=metadata,
    )


def signature_of(evaluator: Evaluator) -> Any:
    """mlflow's signature of a document."""
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema

    name, kind = evaluator.target
    # A number that the document has no value for may still be missing: only its data say whether that makes sense.
    inputs: list[Any] = [
        ColSpec(_TYPES[kind], column, required=required) for column, kind, required in evaluator.inputs
    ]
    return ModelSignature(Schema(inputs), Schema([ColSpec(_TYPES[kind], name)]))


class Document:
    """What mlflow asks: predictions for the rows of a DataFrame."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> list[Any]:
        """One value per row, None where the document has no answer."""
        return [result.value for result in self.results(data)]

    def results(self, data: Any) -> list[Any]:
        """One `Result` per row of a DataFrame."""
        records = data.to_dict("records")
        return [self.evaluator.evaluate(record) for record in records]

    def get_raw_model(self) -> Document:
        """This, which knows the evaluator."""
        return self


def _load_pyfunc(path: str) -> Document:
    """Called by mlflow with the path of the document."""
    try:
        return Document(open_document(Path(path)))
    except PmmlError as error:
        raise FlavorError(f"{Path(path).name} cannot be evaluated: {error}") from error

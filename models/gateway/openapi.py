"""The OpenAPI document of one endpoint, made from its signature, with examples that work."""

from __future__ import annotations

from typing import Any

import orjson

from models.gateway import examples
from models.gateway.answers import PREDICTION_ID
from models.gateway.feedback_items import SHAPE as FEEDBACK_SHAPE
from models.gateway.fields import Field
from models.gateway.routes import Endpoint, Target
from models.gateway.schemas import Record, Schema, example_record, output_schema, record_schema
from modelwright import __version__

_JSON = "application/json"
_PROBLEM: Schema = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail", "remedy")},
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["type", "title", "status", "detail", "remedy", "errors"],
}
_ERROR: Schema = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_MLFLOW_ERROR: Schema = {
    "type": "object",
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
    "required": ["error_code", "message"],
}
_ANY_LIST: Schema = {"type": "array", "minItems": 1}
_ERRORS = {"own": ("Problem", "422"), "mlflow": ("MlflowError", "400"), "v2": ("Error", "400")}


def document(endpoint: Endpoint) -> bytes:
    """The document as JSON."""
    return orjson.dumps(_Document(endpoint).made())


class _Document:
    def __init__(self, endpoint: Endpoint) -> None:
        weighted = list(endpoint.weighted) or list(endpoint.targets)
        self._endpoint = endpoint
        self._targets = sorted(weighted, key=lambda target: -target.weight)
        self._fields: tuple[Field, ...] = self._targets[0].signature.fields if self._targets else ()
        self._outputs: tuple[Field, ...] = self._targets[0].signature.outputs if self._targets else ()
        self._example = _example(self._targets[0]) if self._targets else None

    def made(self) -> dict[str, Any]:
        name = self._endpoint.name
        return {
            "openapi": "3.1.0",
            "info": {"title": name, "version": str(self._endpoint.deployment_number), "description": self._told()},
            "servers": [{"url": f"/{name}"}],
            "security": [{"key": []}],
            "paths": self._paths(),
            "components": {
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
                "schemas": {
                    "Record": record_schema(self._fields),
                    "Prediction": output_schema(self._outputs),
                    "Problem": _PROBLEM,
                    "Error": _ERROR,
                    "MlflowError": _MLFLOW_ERROR,
                },
                "parameters": {
                    "model": self._parameter("model", {target.model for target in self._targets}, "The model's name."),
                    "version": self._parameter(
                        "version", {str(target.version) for target in self._targets}, "One version of the model."
                    ),
                },
            },
            "x-modelwright-version": __version__,
        }

    def _told(self) -> str:
        served = ", ".join(f"{target.model} version {target.version}" for target in self._targets)
        if self._endpoint.graph is not None and self._endpoint.graph.graph is not None:
            nodes = self._endpoint.graph.graph.targets.items()
            asked = ", ".join(f"{name} ({target.model} version {target.version})" for name, target in nodes)
            served = f"the inference graph {self._endpoint.short_name}, which asks the nodes {asked}"
        return f"Serves {served}. Every answer is on record under the id in the header {PREDICTION_ID.decode()}."

    @staticmethod
    def _parameter(name: str, values: set[str], told: str) -> dict[str, Any]:
        schema = {"type": "string", "enum": sorted(values)} if values else {"type": "string"}
        return {"name": name, "in": "path", "required": True, "description": told, "schema": schema}

    def _paths(self) -> dict[str, Any]:
        prediction = {"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}
        v2, v1 = "/v2/models/{model}", "/v1/models/{model}"
        v2_version, v1_version = f"{v2}/versions/{{version}}", f"{v1}/versions/{{version}}"
        paths = {
            "/predict": {"post": self._predict("own", "Predictions, by the platform's protocol.", _own(prediction))},
            "/feedback": {"post": _feedback()},
            "/openapi.json": {"get": _read("This document.", _object())},
            "/invocations": {
                "post": self._predict("mlflow", "Predictions, as MLflow's server has them.", _mlflow(prediction))
            },
            "/ping": {"get": _read("Whether predictions can be asked for.", {"type": "string"})},
            "/version": {"get": _read("The release of MLflow whose protocol this is.", {"type": "string"})},
            "/v2": {"get": _read("What serves, by the Open Inference Protocol.", _object("name", "version"))},
            "/v2/health/live": {"get": _read("Whether the gateway lives.", _object("live"))},
            "/v2/health/ready": {"get": _read("Whether predictions can be asked for.", _object("ready"))},
        }
        for path in (v2, v2_version):
            told = "Predictions, by the Open Inference Protocol."
            paths[path] = {"get": _read("Inputs and outputs of the model.", _object("name", "inputs", "outputs"))}
            paths[f"{path}/ready"] = {"get": _read("Whether the model answers.", _object("name", "ready"))}
            paths[f"{path}/infer"] = {"post": self._predict("v2", told, _v2())}
        for path in (v1, v1_version):
            told = "Predictions, as TensorFlow Serving has them."
            paths[path] = {"get": _read("The state of the model.", _object("model_version_status"))}
            paths[f"{path}/metadata"] = {"get": _read("Inputs and outputs of the model.", _object("metadata"))}
            paths[f"{path}:predict"] = {"post": self._predict("tensorflow", told, _tensorflow(prediction))}
        return {path: _with_parameters(path, operations) for path, operations in paths.items()}

    def _predict(self, protocol: str, told: str, form: tuple[Schema, Schema]) -> dict[str, Any]:
        asked, answered = form
        content: dict[str, Any] = {"schema": asked}
        if self._example is not None:
            content["example"] = examples.BY_PROTOCOL[protocol](self._example, self._fields)
        contents: dict[str, Any] = {_JSON: content}
        if protocol == "mlflow":
            contents["text/csv"] = {"schema": {"type": "string"}}
        error, unfit = _ERRORS.get(protocol, _ERRORS["v2"])
        kind = "application/problem+json" if protocol == "own" else _JSON
        refused = {kind: {"schema": {"$ref": f"#/components/schemas/{error}"}}}
        header = {PREDICTION_ID.decode(): {"schema": {"type": "string"}, "description": "The prediction's id."}}
        return {
            "summary": told,
            "requestBody": {"required": True, "content": contents},
            "responses": {
                "200": {"description": "Predictions.", "headers": header, "content": {_JSON: {"schema": answered}}},
                unfit: {"description": "The records do not fit the model.", "content": refused},
                "401": {"description": "No key, or none of this endpoint.", "content": refused},
                "429": {"description": "Too many requests wait.", "content": refused},
                "502": {"description": "The model failed.", "content": refused},
                "503": {"description": "No replica answers, or nothing can be recorded.", "content": refused},
            },
        }


def _example(target: Target) -> Record | None:
    try:
        given = orjson.loads(target.example) if target.example else None
    except ValueError:
        given = None
    return example_record(target.signature, given if isinstance(given, dict) else None)


def _with_parameters(path: str, operations: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in ("model", "version") if f"{{{name}}}" in path]
    if not names:
        return operations
    return {**operations, "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in names]}


def _object(*required: str) -> Schema:
    return {"type": "object", "required": list(required)} if required else {"type": "object"}


def _read(told: str, schema: Schema) -> dict[str, Any]:
    content = {_JSON: {"schema": schema}}
    return {"summary": told, "responses": {"200": {"description": told, "content": content}}}


def _feedback() -> dict[str, Any]:
    body = {"description": f"{FEEDBACK_SHAPE}, or a list of these.", "required": True}
    answered = {"description": "It is on record.", "content": {_JSON: {"schema": _object("accepted", "feedback_ids")}}}
    body["content"] = {_JSON: {"schema": {"type": ["object", "array"]}}}
    return {"summary": "Truth for predictions.", "requestBody": body, "responses": {"202": answered}}


def _own(prediction: Schema) -> tuple[Schema, Schema]:
    records = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Record"}}
    asked = {**_object("records"), "properties": {"records": records}, "additionalProperties": False}
    answered = {
        **_object("prediction_id", "endpoint", "deployment", "model", "version", "predictions"),
        "properties": {
            **{name: {"type": "string"} for name in ("prediction_id", "endpoint", "model")},
            **{name: {"type": "integer"} for name in ("deployment", "version")},
            "predictions": prediction,
            "probabilities": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "number"}}},
        },
    }
    return asked, answered


def _mlflow(prediction: Schema) -> tuple[Schema, Schema]:
    split = {**_object("data"), "properties": {"columns": {"type": "array"}, "data": _ANY_LIST}}
    forms: dict[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "instances": _ANY_LIST,
        "inputs": {"type": ["object", "array"]},
    }
    asked = {"oneOf": [{**_object(name), "properties": {name: schema}} for name, schema in forms.items()]}
    return asked, {**_object("predictions"), "properties": {"predictions": prediction}}


def _v2() -> tuple[Schema, Schema]:
    tensor = {
        **_object("name", "datatype", "shape"),
        "properties": {
            "name": {"type": "string"},
            "datatype": {"type": "string"},
            "shape": {"type": "array", "minItems": 1, "items": {"type": "integer"}},
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
    }
    tensors = {"type": "array", "minItems": 1, "items": tensor}
    asked = {**_object("inputs"), "properties": {"id": {"type": "string"}, "inputs": tensors}}
    names = ("model_name", "model_version", "id")
    properties = {**{name: {"type": "string"} for name in names}, "outputs": tensors}
    return asked, {**_object(*names, "outputs"), "properties": properties}


def _tensorflow(prediction: Schema) -> tuple[Schema, Schema]:
    signature = {"signature_name": {"type": "string"}}
    rows = {**_object("instances"), "properties": {"instances": _ANY_LIST, **signature}}
    columns = {**_object("inputs"), "properties": {"inputs": {}, **signature}}
    by_row = {**_object("predictions"), "properties": {"predictions": prediction}}
    return {"oneOf": [rows, columns]}, {"oneOf": [by_row, {**_object("outputs"), "properties": {"outputs": {}}}]}

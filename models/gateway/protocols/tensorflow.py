"""The REST protocol of TensorFlow Serving: predict in rows or columns, status and metadata of a model."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from models.gateway import answers
from models.gateway.fields import Field
from models.gateway.http import Request
from models.gateway.pending import Prediction
from models.gateway.protocols.base import Asked, Protocol, State
from models.gateway.protocols.bodies import bad, check_count, from_columns, from_values, json_object, limited
from models.gateway.protocols.datatypes import of_field, shape_of
from models.gateway.protocols.refusals import as_error
from models.gateway.protocols.v2_outputs import names_of
from models.gateway.responses import Response
from models.gateway.routes import Match, Target
from models.gateway.words import MAX_DEPTH, describe, quoted

SIGNATURE = "serving_default"
ONLY_INPUT = "inputs"  # what a model's only input is called that has no name
REMEDY = (
    'Send {"instances": [...]} with one value or object per record, or {"inputs": ...} with one list per input; '
    "the model's metadata names its inputs."
)
_KEYS = ("instances", "inputs", "signature_name")
_DTYPES = {
    "BOOL": "DT_BOOL",
    "FP16": "DT_HALF",
    "FP32": "DT_FLOAT",
    "FP64": "DT_DOUBLE",
    "BYTES": "DT_STRING",
}


class TensorFlow(Protocol):
    """See the module."""

    name = "tensorflow"

    def decode(self, request: Request, match: Match, target: Target) -> Asked:
        """The rows of `instances` or of the columns of `inputs`. Raises `BadBody`."""
        data = json_object(request.body, REMEDY)
        others = [name[:80] for name in data if name not in _KEYS]
        if others or ("instances" in data) == ("inputs" in data):
            found = ", ".join(name[:80] for name in list(data)[:10]) or "no key at all"
            raise bad(f"The body needs instances or inputs, and besides only signature_name; it has {found}.", REMEDY)
        signature = data.get("signature_name") or SIGNATURE
        if signature != SIGNATURE:
            raise bad(f"The model has no signature {quoted(signature)}.", f"Name {SIGNATURE}, or none.")
        fields = {field.name: field for field in target.signature.fields}
        if "instances" in data:
            return Asked(limited(_rows(data["instances"], target, fields)), _in_rows)
        return Asked(limited(_columns(data["inputs"], target, fields)), _in_columns)

    def read(self, match: Match, state: State) -> Response:
        """Status or metadata of a model."""
        targets = match.endpoint.named(match.model, match.version)
        if not targets:
            return answers.not_served(match)
        if match.operation == "status":
            return Response(200, orjson.dumps({"model_version_status": [_status(one, state) for one in targets]}))
        return Response(200, orjson.dumps(_metadata(match, targets[0])))

    def refusal(self, response: Response) -> Response:
        """`{"error": "..."}`."""
        return as_error(response)


_Fields = Mapping[str, Field]


def _rows(instances: Any, target: Target, fields: _Fields) -> list[Any]:
    if not isinstance(instances, list):
        raise bad(f"instances is no list but {describe(instances)}.", REMEDY)
    check_count(len(instances))
    if instances and all(_is_b64(value) for value in instances) and len(fields) == 1:
        return [_decoded(record, fields) for record in ({next(iter(fields)): value} for value in instances)]
    return [_decoded(record, fields) for record in _named(from_values(instances, target, REMEDY), fields)]


def _columns(inputs: Any, target: Target, fields: _Fields) -> list[Any]:
    if isinstance(inputs, dict) and not _is_b64(inputs):
        return [_decoded(record, fields) for record in _named(from_columns(inputs, REMEDY), fields)]
    return _rows(inputs if isinstance(inputs, list) else [inputs], target, fields)


def _named(records: list[Any], fields: _Fields) -> list[Any]:
    """The records as the signature names their columns, where the metadata names the only one."""
    if fields.keys() != {""}:
        return records
    return [{"": record[ONLY_INPUT]} if record.keys() == {ONLY_INPUT} else record for record in records]


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and "b64" in value


def _decoded(record: dict[str, Any], fields: _Fields) -> dict[str, Any]:
    """The record with bytes in place of `{"b64": ...}`: as base64 where the column holds bytes, else as text."""
    if not any(type(value) in (dict, list) for value in record.values()):
        return record
    return {name: _value(name, value, fields.get(name)) for name, value in record.items()}


def _value(name: str, value: Any, field: Field | None, depth: int = 0) -> Any:
    if type(value) is list:
        if depth > MAX_DEPTH:
            raise bad(f"{name[:80]} is nested deeper than {MAX_DEPTH} levels.", "Flatten it.")
        # Lists of numbers are most lists, and long; one look at the types tells.
        if not {dict, list} & set(map(type, value)):
            return value
        return [_value(name, item, field, depth + 1) for item in value]
    if not _is_b64(value):
        return value
    text = value["b64"]
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None:
        raise bad(f"b64 of {name[:80]} is no base64 but {describe(text)}.", "Send the bytes as base64 text.")
    if field is not None and field.kind == "binary":
        return text
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise bad(f"b64 of {name[:80]} is no UTF-8: {error}.", "Send texts as UTF-8.") from None


def _answer(key: str, value: Any, prediction_id: str) -> Response:
    return answers.identified({key: value}, prediction_id)


def _in_rows(result: Prediction, prediction_id: str) -> Response:
    return _answer("predictions", result.predictions, prediction_id)


def _in_columns(result: Prediction, prediction_id: str) -> Response:
    rows = result.predictions
    if rows and all(type(row) is dict for row in rows):
        return _answer("outputs", {name: [row.get(name) for row in rows] for name in rows[0]}, prediction_id)
    return _answer("outputs", rows, prediction_id)


def _status(target: Target, state: State) -> dict[str, Any]:
    is_available = state.is_available(target)
    return {
        "version": str(target.version),
        "state": "AVAILABLE" if is_available else "LOADING",
        "status": {"error_code": "OK", "error_message": ""},
    }


def _metadata(match: Match, target: Target) -> dict[str, Any]:
    signature = target.signature
    outputs = zip(names_of(signature.outputs), signature.outputs, strict=False)
    definition = {
        "inputs": dict(_tensor(field.name or ONLY_INPUT, field) for field in signature.fields),
        "outputs": dict(_tensor(name, field) for name, field in outputs),
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {"name": match.model, "signature_name": "", "version": str(target.version)},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: definition}}},
    }


def _tensor(name: str, field: Field) -> tuple[str, dict[str, Any]]:
    datatype = of_field(field)
    return name, {
        "dtype": _DTYPES.get(datatype) or "DT_" + datatype,
        "tensor_shape": {"dim": _dimensions(shape_of(field)), "unknown_rank": False},
        "name": f"{SIGNATURE}_{name}:0",
    }


def _dimensions(shape: Sequence[int]) -> list[dict[str, str]]:
    return [{"size": str(size), "name": ""} for size in shape]

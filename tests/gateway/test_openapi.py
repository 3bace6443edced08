"""The OpenAPI document of an endpoint: valid, and its examples work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from models.gateway import openapi
from models.gateway.examples import BY_PROTOCOL
from models.gateway.schemas import example_record
from tests.gateway import asking
from tests.gateway.processes import KEY, RECORD, SIGNATURE, Gateway

ITEM = {
    "price": {"type": "double", "required": True},
    "note": {"type": "string", "required": False},
    "parts": {"type": "array", "items": {"type": "map", "values": {"type": "long"}}},
}
EVERY_KIND = [
    *({"name": f"a {kind}", "type": kind, "required": True} for kind in ("boolean", "integer", "long", "float")),
    *({"name": kind, "type": kind, "required": True} for kind in ("double", "string", "datetime", "binary", "object")),
    {"name": "list", "type": "array", "items": {"type": "string"}, "required": True},
    {"name": "lists", "type": "array", "items": {"type": "array", "items": {"type": "long"}}, "required": True},
    {"name": "item", "type": "object", "properties": ITEM},
    {"name": "items", "type": "array", "items": {"type": "object", "properties": ITEM}},
    {"name": "shares", "type": "map", "values": {"type": "array", "items": {"type": "double"}}},
    {"name": "vector", "type": "sparkml_vector"},
    {"name": "maybe", "type": "double", "required": False},
    {"name": "whatever", "type": "any", "required": True},
]
TENSORS = [
    {"name": "image", "type": "tensor", "tensor": {"dtype": "uint8", "shape": [-1, 3, -1]}},
    {"name": "flag", "type": "tensor", "tensor": {"dtype": "bool", "shape": [-1]}},
    {"name": "words", "type": "tensor", "tensor": {"dtype": "object", "shape": [-1, 2]}},
    {"name": "when", "type": "tensor", "tensor": {"dtype": "datetime64[ns]", "shape": [-1, 1]}},
]
SIGNATURES: list[Any] = [
    None,
    SIGNATURE,
    {"inputs": EVERY_KIND, "outputs": [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]},
    {"inputs": [{"name": str(index), "type": "long", "unnamed": True} for index in range(2)]},
    {"inputs": TENSORS, "outputs": [{"type": "tensor", "tensor": {"dtype": "float32", "shape": [-1, 10]}}]},
    {"inputs": [{"type": "tensor", "tensor": {"dtype": "float32", "shape": [-1, 28, 28]}}], "outputs": []},
]


def made(signature: Any, example: Any = None) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(openapi.document(asking.served(signature, example)))
    return document


def predictions(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every path that answers predictions, with its JSON content."""
    for path, operations in document["paths"].items():
        if "200" in operations.get("post", {}).get("responses", {}):
            yield path, operations["post"]["requestBody"]["content"]["application/json"]


def resolved(schema: Any, document: dict[str, Any]) -> Any:
    return {**schema, "components": document["components"]}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_the_document_is_valid_and_its_examples_fit_it_and_the_signature(signature: Any) -> None:
    document = made(signature)
    validate(document)
    protocols = {"/predict": "own", "/invocations": "mlflow"}
    for path, content in predictions(document):
        if signature is None:
            assert "example" not in content
            continue
        Draft202012Validator(resolved(content["schema"], document)).validate(content["example"])
        protocol = protocols.get(path, "v2" if path.endswith("infer") else "tensorflow")
        found = asking.ask(protocol, content["example"], signature=signature)
        given = example_record(asking.served(signature).targets[0].signature, None)
        assert [dict(zip(found.frame.columns, row, strict=True)) for row in found.frame.rows] in (
            [given],
            [{**dict.fromkeys(found.frame.columns), **(given or {})}],
        )


def test_the_example_of_the_version_is_used_as_far_as_it_fits() -> None:
    ((_, content), *_rest) = predictions(made(SIGNATURE, {**RECORD, "colour": "unknown"}))
    assert content["example"] == {"records": [RECORD]}
    ((_, content), *_rest) = predictions(made(SIGNATURE, {"alcohol": 13, "proline": None}))
    assert content["example"]["records"][0]["alcohol"] == 0.5
    ((_, content), *_rest) = predictions(made(None, {"a": 1, "b": [1, 2]}))
    assert content["example"] == {"records": [{"a": 1, "b": [1, 2]}]}


def test_objects_maps_and_lists_are_described_with_all_that_is_in_them() -> None:
    columns = [
        {"name": "item", "type": "object", "required": True, "properties": ITEM},
        {"name": "few", "type": "map", "required": False, "values": {"type": "array", "items": {"type": "long"}}},
    ]
    properties = made({"inputs": columns})["components"]["schemas"]["Record"]["properties"]
    whole = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
    assert properties["item"] == {
        "type": "object",
        "properties": {
            "price": {"type": "number"},
            "note": {"type": ["string", "null"]},
            "parts": {"type": "array", "items": {"type": "object", "additionalProperties": whole}},
        },
        "required": ["price", "parts"],
        "additionalProperties": False,
    }
    few = {"type": ["array", "null"], "items": whole}
    assert properties["few"] == {"type": ["object", "null"], "additionalProperties": few}


def test_a_tensor_too_large_to_make_up_has_no_example() -> None:
    for shape in ([-1, 1000, 1000], [-1, 0, 2**31 - 1], [-1, 2**31 - 1, 0]):
        huge = {"inputs": [{"type": "tensor", "tensor": {"dtype": "float32", "shape": shape}}]}
        assert all("example" not in content for _, content in predictions(made(huge)))


def test_every_protocol_has_a_body_for_what_may_be_missing() -> None:
    for protocol, body in BY_PROTOCOL.items():
        record = {**RECORD, "malic_acid": None}
        found = asking.ask(protocol, body(record, asking.served().targets[0].signature.fields))
        assert found.frame.rows == [tuple(record.values())]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wine", "digits"])
def test_the_example_is_answered_at_every_address_of_the_document(speaking: Gateway, name: str) -> None:
    url, headers = f"{speaking.url}/acme/{name}", {"Authorization": f"Bearer {KEY}"}
    document = requests.get(f"{url}/openapi.json", headers=headers, timeout=30).json()
    validate(document)
    assert document["servers"] == [{"url": f"/acme/{name}"}]
    parameters = document["components"]["parameters"]
    named = {key: parameters[key]["schema"]["enum"][0] for key in ("model", "version")}
    answered = dict(predictions(document))
    assert len(answered) == 6
    for path, operations in document["paths"].items():
        address = url + path.format(**named)
        if "get" in operations:
            assert requests.get(address, headers=headers, timeout=30).status_code == 200, path
        if path in answered:
            response = requests.post(address, json=answered[path]["example"], headers=headers, timeout=60)
            assert response.status_code == 200, (path, response.text)
            schema = operations["post"]["responses"]["200"]["content"]["application/json"]["schema"]
            Draft202012Validator(resolved(schema, document)).validate(response.json())
    assert requests.get(f"{url}/openapi.json", timeout=30).status_code == 401
    assert requests.post(f"{url}/openapi.json", headers=headers, timeout=30).status_code == 405

"""The OpenAPI document: valid, without warnings, complete, and readable."""

from __future__ import annotations

import re
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.operations import Operation, ids, operations, schema
from tests.matrix.bodies import BODIES

OPERATIONS = operations()
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=ids(OPERATIONS))


def test_it_is_valid_openapi_3_1() -> None:
    assert schema()["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(schema()).iter_errors()] == []


def test_the_generator_has_nothing_to_complain_of(capsys: pytest.CaptureFixture[str]) -> None:
    GENERATOR_STATS.reset()
    SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    assert not GENERATOR_STATS, capsys.readouterr().err


def test_operation_ids_are_unique_words() -> None:
    found = [operation.raw["operationId"] for operation in OPERATIONS]
    assert sorted(found) == sorted(set(found))
    assert [one for one in found if not re.fullmatch(r"[a-z]+(_[a-z]+)*", one)] == []


def test_every_group_is_described_and_used() -> None:
    described = {tag["name"] for tag in schema()["tags"] if tag["description"]}
    assert {tag for operation in OPERATIONS for tag in operation.raw["tags"]} == described


@each_operation
def test_an_operation_explains_itself(operation: Operation) -> None:
    raw = operation.raw
    assert raw["summary"]
    assert len(raw["summary"]) <= 100
    assert raw["description"]
    assert len(raw["tags"]) == 1
    assert [
        one["name"] for one in raw.get("parameters", []) if one["in"] == "query" and not one.get("description")
    ] == []


@each_operation
def test_an_operation_says_what_it_takes_and_answers(operation: Operation) -> None:
    raw = operation.raw
    assert (operation.method in ("GET", "DELETE")) or "requestBody" in raw or not _takes_body(operation)
    good = {status: answer for status, answer in raw["responses"].items() if status < "300"}
    assert good
    for status, answer in good.items():
        assert bool(answer.get("content")) == (status != "204")
    for status in ("401", "403", "404", "422", "503"):
        assert raw["responses"][status]["content"] == PROBLEM


def _takes_body(operation: Operation) -> bool:
    """Whether a body of the operation has any field."""
    return (operation.route.name, operation.method) in BODIES


@each_operation
def test_a_list_documents_its_paging(operation: Operation) -> None:
    properties = _properties(operation)
    if {"results", "next", "previous"} <= set(properties):
        named = {one["name"] for one in operation.raw.get("parameters", [])}
        assert {"limit", "cursor"} <= named or {"limit", "start"} <= named or operation.route.name == "api-prototypes"


def _properties(operation: Operation) -> dict[str, Any]:
    node = operation.raw["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = node.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema()["components"]["schemas"].get(name, node).get("properties", {})
    return found


@each_operation
def test_whatever_makes_something_takes_an_idempotency_key(operation: Operation) -> None:
    makes = operation.method == "POST" and "201" in operation.raw["responses"]
    assert not makes or "Idempotency-Key" in operation.headers

"""What no sensible client sends is answered with a problem document, never with a fault of the platform."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.api.operations import Operation, ids, operations
from tests.matrix.bodies import VALUES, filled
from tests.matrix.routes import routes
from tests.matrix.world import World

OPERATIONS = operations()
WRITING = [operation for operation in OPERATIONS if operation.method in ("POST", "PUT", "PATCH")]
READING = [operation for operation in OPERATIONS if operation.method == "GET"]
PAGES = [route for route in routes() if not route.is_api and "GET" in (route.permissions or {})]
BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"name": "\xff"}',
    "a list": b"[]",
    "a text": b'"text"',
    "null": b"null",
    "not a number": b'{"name": NaN}',
    "a number of 5,000 digits": b'{"name": ' + b"9" * 5000 + b"}",
    "nested too deeply": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}
TEXTS = {
    "NUL": "a\0b",
    "half a surrogate pair": "\ud800",
    "very long": "x" * 100_000,
    "right to left": "\u202eabc",
    "a path": "../../etc/passwd",
    "markup": "<script>alert(1)</script>",
}
QUERIES = ("%00", "%ff", "%ed%a0%80", "-1", "9" * 400, "x" * 5000, "%F0%9F%98%80", "[]", "' OR 1=1 --")


def _check_problem(response: Any) -> None:
    assert 400 <= response.status_code < 500, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["detail"]
    assert body["remedy"]


@pytest.mark.parametrize("operation", WRITING, ids=ids(WRITING))
def test_a_body_that_is_no_object_of_json(operation: Operation, world: World, client_of: Any) -> None:
    client = client_of("site-admin")
    address, body = operation.request(world, "site-admin")
    for name, content in BODIES.items():
        response = client.generic(operation.method, address, content, content_type="application/json")
        if not (content == b"" and response.status_code < 300):
            assert body == {} or response.status_code >= 400, name
            if body != {}:
                _check_problem(response)


@pytest.mark.parametrize("operation", [one for one in WRITING if "requestBody" in one.raw], ids=str)
def test_texts_that_cannot_be_stored(operation: Operation, world: World, client_of: Any) -> None:
    """Each text field of the body in turn holds each text; what is not refused is taken whole."""
    client = client_of("site-admin")
    address, body = operation.request(world, "site-admin")
    for field in [name for name, value in body.items() if isinstance(value, str)]:
        for name, text in TEXTS.items():
            response = client.send(operation.method, address, {**body, field: text})
            assert response.status_code < 500, (field, name, response.content)
            if name in ("NUL", "half a surrogate pair"):
                _check_problem(response)


@pytest.mark.parametrize("number", ["1e400", "-1e999", "9" * 400, str(2**63), "-" + str(2**70)])
@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("projects/{project_id}/runs/", '{"script": "train.py", "parameters": {"depth": %s}}'),
        ("jobs/{job_id}/runs/", '{"timeout_seconds": %s}'),
        ("workspaces/", '{"name": "wide", "cpu_limit": %s}'),
        ("workspaces/", '{"name": "wide", "memory_limit_mib": %s}'),
    ],
)
def test_numbers_that_nothing_can_hold(number: str, route: str, body: str, world: World, client_of: Any) -> None:
    address = "/api/v1/" + route.format(**world.values)
    content = (body % number).encode()
    response = client_of("site-admin").generic("POST", address, content, content_type="application/json")
    _check_problem(response)
    assert response.status_code == 422
    wrong = json.loads(body % "0")
    named = [error["field"] for error in response.json()["errors"]]
    assert named == ["parameters.depth" if "parameters" in wrong else list(wrong)[-1]]


@pytest.mark.parametrize("operation", WRITING, ids=ids(WRITING))
def test_another_content_type(operation: Operation, world: World, client_of: Any) -> None:
    client = client_of("site-admin")
    address, body = operation.request(world, "site-admin")
    if body:
        response = client.generic(operation.method, address, json.dumps(body).encode(), content_type="text/plain")
        _check_problem(response)
        assert response.status_code == 415


@pytest.mark.parametrize("operation", READING, ids=ids(READING))
def test_strange_queries(operation: Operation, world: World, client_of: Any) -> None:
    client = client_of("site-admin")
    address, _ = operation.request(world, "site-admin")
    address = address.partition("?")[0]
    named = [one["name"] for one in operation.raw.get("parameters", []) if one["in"] == "query"]
    for name in [*named, "unknown"]:
        for value in QUERIES:
            response = client.send("GET", f"{address}?{name}={value}")
            assert response.status_code < 500, (name, value, response.content)
            if response.status_code >= 400:
                _check_problem(response)


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "\x7f", "ü"])
def test_an_idempotency_key_that_is_none(key: str, world: World, client_of: Any) -> None:
    _check_problem(client_of("site-admin").send("POST", "/api/v1/workspaces/", {"name": "b"}, Idempotency_Key=key))


@pytest.mark.parametrize(
    "path", ["nowhere/", "runs/not-an-id/", "runs/%00/", "users/%ff/", "models/" + "9" * 4000, "me/%2e%2e/%2e%2e/"]
)
def test_an_address_that_leads_nowhere(path: str, world: World, client_of: Any) -> None:
    response = client_of("site-admin").send("GET", f"/api/v1/{path}")
    _check_problem(response)
    assert response.status_code == 404


@pytest.mark.parametrize("operation", READING, ids=ids(READING))
def test_methods_that_are_not_there(operation: Operation, world: World, client_of: Any) -> None:
    address, _ = operation.request(world, "site-admin")
    response = client_of("site-admin").send("TRACE", address)
    _check_problem(response)
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


@pytest.mark.slow
@pytest.mark.parametrize("route", PAGES, ids=[route.name for route in PAGES])
def test_pages_with_strange_queries(route: Any, world: World) -> None:
    """A page answers with a page, whatever stands behind the question mark."""
    client = Client(raise_request_exception=False)
    client.force_login(world.people["site-admin"])
    names = ("q", "sort", "page", "path", "commit", "key", "offset", "since", "project", "state", "deployment")
    for value in ("%00", "-1", "9" * 400, "%ff", "' OR 1=1 --"):
        values = world.values_for("site-admin")
        address = route.address(values | filled(VALUES.get(route.name, {}), values))
        response = client.get(f"{address}?" + "&".join(f"{name}={value}" for name in names))
        assert response.status_code < 500, (value, getattr(response, "exc_info", None))

"""Nobody overwrites what they have not seen: If-Match on every operation that honours it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.operations import Operation, ids, operations
from tests.matrix.world import World

OPERATIONS = operations()
GUARDED = [operation for operation in OPERATIONS if "If-Match" in operation.headers]
READERS = {operation.route.name for operation in OPERATIONS if operation.method == "GET"}
each_guarded = pytest.mark.parametrize("operation", GUARDED, ids=ids(GUARDED))


def test_there_is_something_to_test() -> None:
    assert len(GUARDED) >= 4
    assert {operation.route.name for operation in GUARDED} <= READERS


@each_guarded
def test_the_current_etag_is_let_through(operation: Operation, world: World, client_of: Any) -> None:
    client = client_of("site-admin")
    address, body = operation.request(world, "site-admin")
    tag = client.send("GET", address).headers["ETag"]
    changed = client.send(operation.method, address, body, If_Match=tag)
    assert changed.status_code == 200, changed.content
    assert changed.headers["ETag"] not in ("", tag)
    assert client.send("GET", address).headers["ETag"] == changed.headers["ETag"]


@each_guarded
def test_a_stale_etag_is_refused_and_changes_nothing(operation: Operation, world: World, client_of: Any) -> None:
    client = client_of("site-admin")
    address, body = operation.request(world, "site-admin")
    tag = client.send("GET", address).headers["ETag"]
    assert client.send(operation.method, address, body, If_Match=tag).status_code == 200
    now = client.send("GET", address).json()

    late = client.send(operation.method, address, {"description": "too late"}, If_Match=tag)

    assert late.status_code == 412
    assert late.headers["Content-Type"] == "application/problem+json"
    assert late.json()["remedy"]
    assert client.send("GET", address).json() == now


@each_guarded
@pytest.mark.parametrize("tag", ["nonsense", '"', '"-1"', '"99999999999999"', "1", '"1", "2"'])
def test_what_is_no_etag_is_refused(operation: Operation, tag: str, world: World, client_of: Any) -> None:
    address, body = operation.request(world, "site-admin")
    assert client_of("site-admin").send(operation.method, address, body, If_Match=tag).status_code == 422

"""Every cursor-paged list can be walked to its end and back, row by row, and loses and doubles nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.operations import Operation, ids, operations
from tests.matrix.world import World


def _is_paged(operation: Operation) -> bool:
    named = {one["name"] for one in operation.raw.get("parameters", [])}
    return operation.method == "GET" and {"limit", "cursor"} <= named


PAGED = [operation for operation in operations() if _is_paged(operation)]


def test_there_is_something_to_test() -> None:
    assert len(PAGED) >= 15


@pytest.mark.parametrize("operation", PAGED, ids=ids(PAGED))
def test_a_list_is_walked_forth_and_back(operation: Operation, world: World, client_of: Any) -> None:
    client = client_of("site-admin")
    address, _ = operation.request(world, "site-admin")
    whole = client.send("GET", f"{address}?limit=500").json()
    assert whole["next"] is None
    assert whole["previous"] is None
    everything = [row["id"] for row in whole["results"]]
    assert everything

    step = max(1, len(everything) // 6)
    page, there = client.send("GET", f"{address}?limit={step}").json(), []
    there += [row["id"] for row in page["results"]]
    while page["next"]:
        page = client.send("GET", page["next"]).json()
        there += [row["id"] for row in page["results"]]
    assert there == everything

    back = [row["id"] for row in page["results"]]
    while page["previous"]:
        page = client.send("GET", page["previous"]).json()
        back = [row["id"] for row in page["results"]] + back
    assert back == everything


def test_a_page_stays_what_it_is_while_rows_are_added(world: World, client_of: Any) -> None:
    client, address = client_of("site-admin"), "/api/v1/users/"
    first = client.send("GET", f"{address}?limit=3").json()
    second = client.send("GET", first["next"]).json()
    body = {"username": "newcomer", "password": "a long enough password 1"}
    assert client.send("POST", address, body).status_code == 201
    assert client.send("GET", first["next"]).json() == second

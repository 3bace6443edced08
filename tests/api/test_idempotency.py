"""A retry under the same Idempotency-Key does nothing a second time and gets the first answer again."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from modelwright.accounts.models import KeptAnswer
from modelwright.observability.models import Count
from tests.api.operations import Operation, ids, operations
from tests.matrix.world import World

KEYED = [operation for operation in operations() if "Idempotency-Key" in operation.headers]


def _rows() -> dict[str, int]:
    """How many rows each table of the platform has.

    Left out are the answers that are kept for retries, and what is counted of all requests, which is written each few
    seconds.
    """
    left_out = (KeptAnswer, Count)
    own = [one for one in apps.get_models() if not one.__module__.startswith("django.") and one not in left_out]
    return {model._meta.label: model._default_manager.count() for model in own}


def test_there_is_something_to_test() -> None:
    assert len(KEYED) > 10


@pytest.mark.parametrize("operation", KEYED, ids=ids(KEYED))
def test_twice_under_one_key_is_once(operation: Operation, world: World, client_of: Any) -> None:
    client = client_of("site-admin")
    address, body = operation.request(world, "site-admin")
    before = _rows()
    first = client.send("POST", address, body, Idempotency_Key="one")
    assert first.status_code in (201, 202), first.content
    after = _rows()
    assert after != before

    again = client.send("POST", address, body, Idempotency_Key="one")

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["Idempotent-Replay"] == "true"
    assert _rows() == after


@pytest.mark.parametrize("operation", KEYED, ids=ids(KEYED))
def test_another_body_under_the_key_is_refused(operation: Operation, world: World, client_of: Any) -> None:
    client = client_of("site-admin")
    address, body = operation.request(world, "site-admin")
    assert client.send("POST", address, body, Idempotency_Key="one").status_code in (201, 202)
    other = client.send("POST", address, {**body, "more": 1}, Idempotency_Key="one")
    assert other.status_code == 409
    assert other.headers["Content-Type"] == "application/problem+json"


def test_a_key_is_the_persons_own(world: World, client_of: Any) -> None:
    body = {"name": "another"}
    first = client_of("contributor").send("POST", "/api/v1/tokens/", body, Idempotency_Key="one").json()
    other = client_of("operator").send("POST", "/api/v1/tokens/", body, Idempotency_Key="one").json()
    assert first["id"] != other["id"]


def test_what_failed_may_be_sent_again_under_the_same_key(world: World, client_of: Any) -> None:
    client, address = client_of("site-admin"), "/api/v1/workspaces/"
    assert client.send("POST", address, {"name": "No Name"}, Idempotency_Key="one").status_code == 422
    assert client.send("POST", address, {"name": "a-name"}, Idempotency_Key="one").status_code == 201

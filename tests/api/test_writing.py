"""What holds for every operation that changes something: it is on record, and a read-only token does not do it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.services import create_token
from modelwright.audit.models import AuditEvent
from tests.api.conftest import JsonClient
from tests.api.operations import Operation, ids, operations
from tests.matrix.world import World

WRITING = [operation for operation in operations() if operation.method != "GET"]
# Doing it twice is harmless, and the host is in use already.
HARMLESS = {"api-host-activate POST"}
# Its permission is the token in the body, and neither a session nor another token counts.
OWN_PERMISSION = {"api-host-join POST"}
PERSONAL = [one for one in WRITING if str(one) not in OWN_PERMISSION]
each_of_a_person = pytest.mark.parametrize("operation", PERSONAL, ids=ids(PERSONAL))
each_writing = pytest.mark.parametrize("operation", WRITING, ids=ids(WRITING))


@pytest.mark.parametrize("operation", [one for one in WRITING if str(one) not in HARMLESS], ids=str)
def test_it_leaves_an_audit_row(operation: Operation, world: World, client_of: Any) -> None:
    address, body = operation.request(world, "site-admin")
    before = set(AuditEvent.objects.values_list("pk", flat=True))
    response = client_of("site-admin").send(operation.method, address, body, X_Request_ID="the-request-of-the-test")
    assert response.status_code < 300, response.content
    # What the platform does on the way, such as taking over the manifest's jobs, is on record as its own.
    made = AuditEvent.objects.exclude(pk__in=before).exclude(actor_kind="system")
    assert {event.actor_name for event in made} == {"site-admin"}
    assert {event.request_id for event in made} == {"the-request-of-the-test"}
    for event in made:
        assert event.action
        assert event.target_name
        assert event.actor_role


@each_writing
def test_a_refused_one_leaves_nothing(operation: Operation, world: World, client_of: Any) -> None:
    address, body = operation.request(world, "auditor")
    before = AuditEvent.objects.count()
    response = client_of("auditor").send(operation.method, address, body)
    if response.status_code >= 400:
        assert AuditEvent.objects.count() == before


@each_of_a_person
def test_a_token_that_may_only_read_does_not(operation: Operation, world: World) -> None:
    _, text = create_token(name="reader", scope="read", acting_user=Actor.person(world.people["site-admin"]))
    address, body = operation.request(world, "site-admin")
    response = JsonClient(text).send(operation.method, address, body)
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"


@each_of_a_person
def test_a_login_session_needs_the_csrf_token(operation: Operation, world: World) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(world.people["site-admin"])
    address, _ = operation.request(world, "site-admin")
    response = client.generic(operation.method, address, b"{}", content_type="application/json")
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"


def test_nobody_acts_after_being_switched_off(world: World, client_of: Any) -> None:
    User.objects.filter(pk=world.people["contributor"].pk).update(is_active=False)
    assert client_of("contributor").send("GET", "/api/v1/me/").status_code == 401

"""A password is not found out by trying, also not by who is signed in already."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from modelwright.audit.models import AuditEvent
from tests.conftest import PASSWORD, MakeUser

NEW = "another correct horse battery"
pytestmark = pytest.mark.django_db


def change(client: Client, old: str) -> int:
    return client.post("/profile/password/", {"old": old, "password": NEW, "again": NEW}).status_code


def test_who_found_an_open_browser_does_not_find_out_the_password(
    make_user: MakeUser, browser_client: Callable[..., Client]
) -> None:
    ann = make_user("ann")
    client = browser_client(ann)
    assert [change(client, f"guess {number}") for number in range(10)] == [422] * 10
    assert change(client, PASSWORD) == 429
    ann.refresh_from_db()
    assert ann.check_password(PASSWORD)
    failed = AuditEvent.objects.filter(action="login.failed")
    assert {(event.actor_name, event.target_name) for event in failed} == {("ann", "ann")}
    assert failed.count() == 10


def test_who_knows_it_changes_it(make_user: MakeUser, browser_client: Callable[..., Client]) -> None:
    ann = make_user("ann")
    client = browser_client(ann)
    assert change(client, "mistyped") == 422
    assert change(client, PASSWORD) == 302
    ann.refresh_from_db()
    assert ann.check_password(NEW)
    assert client.get("/profile/").status_code == 200

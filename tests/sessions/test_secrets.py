"""Secrets of a project in its sessions: given, on record, and not in what is kept of what was typed."""

from __future__ import annotations

import json

import pytest

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import Workload
from modelwright.compute.sealed import unseal
from projects.models import Project, ProjectMembership, SecretRead
from projects.variables.services import set_variable
from sessions.models import SessionCommand
from sessions.services import Command, SessionRequest, note_commands, set_policy, start_session

SYSTEM = Actor.system("tests")
VALUE = "correct horse battery"
pytestmark = pytest.mark.django_db


@pytest.fixture
def acting(project: Project, ann: User) -> Actor:
    set_variable(project, name="API_KEY", value=VALUE, acting_user=SYSTEM)
    set_variable(project, name="KEY_FILE", value="a private key", delivery="file", acting_user=SYSTEM)
    return Actor.person(ann)


def test_a_session_is_given_secrets_and_that_is_on_record(project: Project, acting: Actor) -> None:
    session = start_session(project, SessionRequest(), acting_user=acting)
    given = unseal(session.workload.secrets)
    assert given.variables["API_KEY"] == VALUE
    assert given.files == {"KEY_FILE": "a private key"}
    assert {VALUE, "a private key"} <= set(given.masked)
    assert VALUE not in json.dumps(list(Workload.objects.values()), default=str)
    read = SecretRead.objects.get()
    assert (read.subject_kind, read.subject_id, read.person) == ("session", session.pk, "ann")
    assert (read.names, read.workload_id) == (["API_KEY", "KEY_FILE"], session.workload_id)


def test_what_was_typed_is_kept_without_them(project: Project, acting: Actor, ann: User) -> None:
    ProjectMembership.objects.filter(user=ann).update(role="admin")
    set_policy(project, records_commands=True, acting_user=acting)
    session = start_session(project, SessionRequest(), acting_user=acting)
    note_commands(
        session,
        0,
        [Command("terminal", 1.0, f"curl -H 'Key: {VALUE}' https://example.org"), Command("cell", 2.0, "1 + 1")],
    )
    assert list(SessionCommand.objects.order_by("offset").values_list("text", flat=True)) == [
        "curl -H 'Key: ***' https://example.org",
        "1 + 1",
    ]

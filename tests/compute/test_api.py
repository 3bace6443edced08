"""Hosts, profiles and environments over REST."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import GIB, Environment, Host, ResourceProfile

from .support import make_host, queue

Api = Callable[[User], Client]
pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(db: None) -> Environment:
    return Environment.objects.create(lock_digest="ab" * 32, lock="six==1.17.0\n", python_version="3.11", size_bytes=7)


def test_everyone_signed_in_sees_hosts_with_what_is_free(host: Host, api: Api, stranger: User) -> None:
    queue()
    answer = api(stranger).get("/api/v1/hosts/").json()
    assert [each["name"] for each in answer["results"]] == ["test-host"]
    assert answer["results"][0]["free"] == {"cpu": 4.0, "memory_bytes": 8 * GIB}
    one = api(stranger).get(f"/api/v1/hosts/{host.pk}/").json()
    assert one == answer["results"][0]
    assert api(stranger).get(f"/api/v1/hosts/{'0' * 8}-0000-7000-8000-{'0' * 12}/").status_code == 404


def test_nobody_anonymous_sees_anything(client: Client, host: Host) -> None:
    for path in ("hosts/", f"hosts/{host.pk}/", "profiles/", "environments/"):
        assert client.get(f"/api/v1/{path}").status_code == 401


def test_profiles_and_environments_are_listed(api: Api, stranger: User, environment: Environment) -> None:
    ResourceProfile.objects.get_or_create(name="small", defaults={"cpu": 0.5, "memory_bytes": GIB})
    profiles = api(stranger).get("/api/v1/profiles/").json()["results"]
    assert "small" in {profile["name"] for profile in profiles}
    listed = api(stranger).get("/api/v1/environments/").json()["results"]
    assert [(each["lock_digest"], each["uses"]) for each in listed] == [("ab" * 32, 0)]
    assert "lock" not in listed[0]
    assert api(stranger).get(f"/api/v1/environments/{environment.pk}/").json()["lock"] == "six==1.17.0\n"


def test_an_administrator_drains_and_activates_a_host_on_record(host: Host, api: Api, admin: User) -> None:
    for _ in range(2):
        answer = api(admin).post(f"/api/v1/hosts/{host.pk}/drain/")
        assert (answer.status_code, answer.json()["state"]) == (200, "draining")
    assert api(admin).post(f"/api/v1/hosts/{host.pk}/activate/").json()["state"] == "active"
    events = AuditEvent.objects.filter(action="host.changed").order_by("pk")
    assert [(event.actor_name, event.after) for event in events] == [
        ("admin", {"state": "draining"}),
        ("admin", {"state": "active"}),
    ]


def test_an_offline_host_cannot_be_activated_by_hand(host: Host, api: Api, admin: User) -> None:
    Host.objects.update(state="offline")
    answer = api(admin).post(f"/api/v1/hosts/{host.pk}/drain/")
    assert answer.status_code == 409
    assert "watcher" in answer.json()["remedy"]


@pytest.mark.parametrize("who", ["stranger", "auditor"])
def test_nobody_else_changes_a_host_or_removes_an_environment(
    host: Host, api: Api, environment: Environment, who: str, request: pytest.FixtureRequest
) -> None:
    person = request.getfixturevalue(who)
    assert api(person).post(f"/api/v1/hosts/{host.pk}/drain/").status_code == 403
    assert api(person).post(f"/api/v1/hosts/{host.pk}/activate/").status_code == 403
    assert api(person).delete(f"/api/v1/environments/{environment.pk}/").status_code == 403
    assert Host.objects.get().state == "active"
    assert Environment.objects.get().state == "ready"


def test_an_administrator_removes_an_environment(api: Api, admin: User, environment: Environment, data: object) -> None:
    assert api(admin).delete(f"/api/v1/environments/{environment.pk}/").status_code == 204
    assert Environment.objects.get().state == "removed"


def test_profiles_cannot_be_written(api: Api, admin: User) -> None:
    assert api(admin).post("/api/v1/profiles/", {}, content_type="application/json").status_code == 405


def test_a_large_host_is_entered_once(db: None) -> None:
    assert make_host().pk == make_host().pk
    assert AuditEvent.objects.filter(action="host.announced").count() == 1
    make_host(cpu=8)
    event = AuditEvent.objects.filter(action="host.announced").latest("pk")
    assert event.before is not None
    assert event.before["cpu"] == 4

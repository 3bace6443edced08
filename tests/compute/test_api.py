"""Hosts, profiles and environments over REST."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import placement, services
from modelwright.compute.announcing import announce_host
from modelwright.compute.models import GIB, Environment, Host, ResourceProfile

from .support import ACTOR, gpu_host, make_host, queue

RECORDINGS = Path(__file__).parent / "recordings"
Api = Callable[[User], Client]
pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(db: None) -> Environment:
    return Environment.objects.create(lock_digest="ab" * 32, lock="six==1.17.0\n", python_version="3.11", size_bytes=7)


def test_everyone_signed_in_sees_hosts_with_what_is_free(host: Host, api: Api, stranger: User) -> None:
    queue()
    answer = api(stranger).get("/api/v1/hosts/").json()
    assert [each["name"] for each in answer["results"]] == ["test-host"]
    assert answer["results"][0]["free"] == {"cpu": 4.0, "memory_bytes": 8 * GIB, "gpus": []}
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


def test_an_administrator_makes_changes_and_deletes_a_size_on_record(api: Api, admin: User, stranger: User) -> None:
    client, json = api(admin), "application/json"
    body = {"name": "one-gpu", "cpu": 4, "memory_bytes": 16 * GIB, "gpus": 1, "labels": {"gpu": "h100"}}
    made = client.post("/api/v1/profiles/", body, json)
    assert made.status_code == 201
    assert {**made.json(), **body} == made.json()
    address = f"/api/v1/profiles/{made.json()['id']}/"
    assert client.patch(address, {"gpus": 2}, json).json()["gpus"] == 2
    assert client.patch(address, {"gpus": 2}, json).status_code == 200
    assert api(stranger).get(address).json()["labels"] == {"gpu": "h100"}
    for refused in (api(stranger).patch(address, {"gpus": 3}, json), api(stranger).delete(address)):
        assert refused.status_code == 403
    assert client.post("/api/v1/profiles/", body, json).status_code == 409
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    events = AuditEvent.objects.filter(target_id=made.json()["id"]).order_by("pk")
    assert [event.action for event in events] == ["profile.created", "profile.changed", "profile.deleted"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cpu": 0}, "cpu"),
        ({"memory_bytes": 1}, "memory_bytes"),
        ({"gpus": -1}, "gpus"),
        ({"labels": {"a b": "c"}}, "labels"),
        ({"name": "Not A Slug"}, "name"),
    ],
)
def test_a_size_that_is_none_is_refused_by_its_field(
    api: Api, admin: User, change: dict[str, object], field: str
) -> None:
    body = {"name": "fine", "cpu": 1, "memory_bytes": GIB, **change}
    answer = api(admin).post("/api/v1/profiles/", body, content_type="application/json")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_host_tells_its_gpus_and_which_are_free(api: Api, stranger: User) -> None:
    host = gpu_host()
    workload = queue(gpus=1)
    placement.place_queue()
    answer = api(stranger).get(f"/api/v1/hosts/{host.pk}/").json()
    assert [gpu["problem"] for gpu in answer["gpus"]] == ["", "", "It does not answer: GPU is lost."]
    assert answer["free"]["gpus"] == [1]
    assert answer["labels"] == {"gpu": "h100"}
    workload.refresh_from_db()
    assert workload.gpu_indexes == [0]


def test_what_a_host_has_is_on_record_when_it_changes_and_its_load_is_not(db: None) -> None:
    gpu_host()
    gpu_host(used_bytes=5 * GIB)
    assert AuditEvent.objects.filter(action="host.announced").count() == 1
    load = Host.objects.get().facts["gpu_load"]
    assert load[0]["used_bytes"] is None, "written every half minute"
    Host.objects.update(facts={"gpus_read_at": 1})
    gpu_host(used_bytes=5 * GIB)
    assert Host.objects.get().facts["gpu_load"][0]["used_bytes"] == 5 * GIB
    services.announce_host(name="gpu-host", cpu=8, memory_bytes=64 * GIB, gpus=[], acting_user=ACTOR)
    assert "gpu_load" not in Host.objects.get().facts
    assert AuditEvent.objects.filter(action="host.announced").count() == 2


def test_this_host_announces_what_its_settings_say(db: None, settings: Settings) -> None:
    settings.HOST_GPUS = str(RECORDINGS / "h100.json")
    settings.HOST_LABELS = "gpu=h100, zone=a,quiet"
    host = announce_host()
    assert [gpu["name"] for gpu in host.gpus] == ["NVIDIA H100 80GB HBM3"]
    assert host.labels == {"gpu": "h100", "zone": "a", "quiet": ""}
    assert (host.facts["gpu_driver"], host.facts["cuda"]) == ("580.159.04", "13.0")
    settings.HOST_GPUS, settings.HOST_LABELS = "/no/such/recording", ""
    host = announce_host()
    assert host.gpus == []
    assert "cannot be used" in host.facts["gpu_problem"]
    assert "gpu_driver" not in host.facts
    assert host.labels == {"gpu": "h100", "zone": "a", "quiet": ""}, "nothing said, nothing changed"


def test_a_large_host_is_entered_once(db: None) -> None:
    assert make_host().pk == make_host().pk
    assert AuditEvent.objects.filter(action="host.announced").count() == 1
    make_host(cpu=8)
    event = AuditEvent.objects.filter(action="host.announced").latest("pk")
    assert event.before is not None
    assert event.before["cpu"] == 4

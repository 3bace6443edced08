"""Machines join as hosts with a token for once, and are removed: services, REST and pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings as configured
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import services, transitions
from modelwright.compute.models import GIB, Host, JoinToken
from modelwright.compute.reachable import addresses
from modelwright.compute.services.removal import end_access
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed

from .support import ACTOR, fresh, make_host, queue

Api = Callable[[User], Client]
pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def host(db: None) -> Host:
    """A host on another machine."""
    return make_host("away")


def make(admin: User, **labels: str) -> str:
    return services.create_join_token(labels=labels, acting_user=Actor.person(admin))[1]


def test_a_token_is_shown_once_and_only_its_digest_is_kept(api: Api, admin: User) -> None:
    answer = api(admin).post("/api/v1/hosts/tokens/", {"labels": {"disk": "ssd"}}, content_type=JSON)
    assert answer.status_code == 201
    text = answer.json()["token"]
    assert text.startswith("mwj_")
    assert answer.json()["command"] == f"./modelwright join https://platform.example.org --token {text}"
    row = JoinToken.objects.values().get()
    assert text not in str(row)
    assert timedelta(minutes=59) < row["expires_at"] - timezone.now() <= timedelta(hours=1)
    listed = api(admin).get("/api/v1/hosts/tokens/").json()["results"]
    assert [(each["state"], each["labels"]) for each in listed] == [("open", {"disk": "ssd"})]
    assert text not in str(listed)
    event = AuditEvent.objects.get(action="join-token.created")
    assert text not in str(event.after)


@pytest.mark.parametrize("who", ["stranger", "auditor"])
def test_only_administrators_see_or_make_tokens_or_remove_hosts(
    who: str, api: Api, host: Host, admin: User, request: pytest.FixtureRequest
) -> None:
    make(admin)
    person = api(request.getfixturevalue(who))
    one = JoinToken.objects.get().pk
    assert person.get("/api/v1/hosts/tokens/").status_code == 403
    assert person.post("/api/v1/hosts/tokens/", {}, content_type=JSON).status_code == 403
    assert person.get(f"/api/v1/hosts/tokens/{one}/").status_code == 403
    assert person.delete(f"/api/v1/hosts/tokens/{one}/").status_code == 403
    assert person.post(f"/api/v1/hosts/{host.pk}/remove/", {}, content_type=JSON).status_code == 403
    assert JoinToken.objects.get().revoked_at is None


def test_a_machine_joins_with_nothing_but_the_token_and_gets_what_it_needs(client: Client, admin: User) -> None:
    body = {"token": make(admin, disk="ssd"), "name": "gpu-1", "backend": "docker", "address": "10.0.0.7"}
    answer = client.post("/api/v1/hosts/join/", body, content_type=JSON)
    assert answer.status_code == 200, answer.content
    assert answer.headers["Cache-Control"] == "no-store"
    got = answer.json()
    host = Host.objects.get()
    assert (host.name, host.backend, host.address, host.labels) == ("gpu-1", "docker", "10.0.0.7", {"disk": "ssd"})
    assert (host.state, host.cpu) == ("active", 0), "nothing is placed before it says what it has"
    assert got["secret_key"] == configured.SECRET_KEY
    assert got["database_url"] == "postgresql://modelwright@db.example.org/modelwright"
    event = AuditEvent.objects.get(action="host.joined")
    assert (event.actor_name, event.actor_kind, event.address) == ("admin", "join token", "127.0.0.1")
    assert got["secret_key"] not in str(event.after)


def test_a_token_is_good_for_one_machine(client: Client, admin: User) -> None:
    token = make(admin)
    first = client.post("/api/v1/hosts/join/", {"token": token, "name": "a"}, content_type=JSON)
    second = client.post("/api/v1/hosts/join/", {"token": token, "name": "b"}, content_type=JSON)
    assert (first.status_code, second.status_code) == (200, 403)
    assert [host.name for host in Host.objects.all()] == ["a"]


@pytest.mark.parametrize("fault", ["unknown", "revoked", "expired", "maker demoted", "maker deactivated"])
def test_no_other_token_lets_anybody_in(client: Client, admin: User, make_user: Any, fault: str) -> None:
    make_user("other", is_site_admin=True)
    token = make(admin)
    if fault == "unknown":
        token = "mwj_" + "a" * 43
    elif fault == "revoked":
        services.revoke_join_token(JoinToken.objects.get(), acting_user=Actor.person(admin))
    elif fault == "expired":
        JoinToken.objects.update(expires_at=timezone.now())
    else:
        User.objects.filter(pk=admin.pk).update(
            **{"maker demoted": {"is_site_admin": False}}.get(fault, {"is_active": False})
        )
    answer = client.post("/api/v1/hosts/join/", {"token": token, "name": "a"}, content_type=JSON)
    assert answer.status_code == 403
    assert "hosts page" in answer.json()["remedy"]
    assert not Host.objects.exists()
    assert JoinToken.objects.filter(used_at=None).exists(), "nothing was used up"


def test_a_failed_attempt_leaves_the_token_good(client: Client, admin: User, host: Host) -> None:
    token = make(admin)
    for name, status in ((host.name, 409), ("no name", 422), ("fine", 200)):
        answer = client.post("/api/v1/hosts/join/", {"token": token, "name": name}, content_type=JSON)
        assert answer.status_code == status, answer.content


def test_a_used_token_is_not_revoked_but_named_with_its_host(api: Api, client: Client, admin: User) -> None:
    client.post("/api/v1/hosts/join/", {"token": make(admin), "name": "a"}, content_type=JSON)
    answer = api(admin).delete(f"/api/v1/hosts/tokens/{JoinToken.objects.get().pk}/")
    assert answer.status_code == 409
    assert "a has joined" in answer.json()["detail"]
    assert api(admin).get("/api/v1/hosts/tokens/").json()["results"][0]["host"] == "a"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DATABASE_URL", "postgresql://modelwright@/modelwright?host=/run", "PostgreSQL"),
        ("DATABASE_URL", "postgresql://modelwright@127.0.0.1/modelwright", "PostgreSQL"),
        ("REDIS_URL", "unix:///run/redis.sock", "Redis"),
        ("WEB_URL", "http://127.0.0.1:8000", "pages"),
        ("BLOBS", "/srv/blobs", "folder"),
        ("BLOBS", "s3://files?endpoint=http://127.0.0.1:9000", "store of files"),
    ],
)
def test_what_no_other_machine_can_reach_is_refused_before_a_token_is_made(
    admin: User, settings: Settings, name: str, value: str, words: str
) -> None:
    setattr(settings, f"HOSTS_{name}", "")
    setattr(settings, name, value)
    with pytest.raises(Conflict, match=words) as refused:
        make(admin)
    assert f"MODELWRIGHT_HOSTS_{name}" in refused.value.remedy
    setattr(settings, f"HOSTS_{name}", "/mnt/blobs" if name == "BLOBS" else value)
    assert addresses(), "what is set for hosts is taken at its word"


@pytest.mark.parametrize(
    ("for_hosts", "for_all", "told"),
    [
        ("http://10.0.0.5:8001", "http://127.0.0.1:8001", "http://10.0.0.5:8001"),
        ("", "https://models.example.org", "https://models.example.org"),
        ("", "http://127.0.0.1:8001", ""),
    ],
)
def test_a_host_is_told_where_applications_there_ask_endpoints(
    api: Api, admin: User, settings: Settings, for_hosts: str, for_all: str, told: str
) -> None:
    settings.HOSTS_GATEWAY_URL, settings.GATEWAY_URL = for_hosts, for_all
    asked = {"token": make(admin), "name": "a"}
    answer = Client().post("/api/v1/hosts/join/", asked, content_type=JSON)
    assert (answer.status_code, answer.json()["gateway_url"]) == (200, told)


@pytest.mark.parametrize("labels", [{"a b": "c"}, {"": "c"}, {"a": "x y"}, {str(n): "" for n in range(21)}])
def test_labels_are_checked(admin: User, labels: dict[str, str]) -> None:
    with pytest.raises(ValidationFailed):
        services.create_join_token(labels=labels, acting_user=Actor.person(admin))


def test_a_host_is_removed_only_by_force_while_something_runs_there(host: Host, api: Api, admin: User) -> None:
    running, placed = queue("pass", name="training"), queue()
    for workload in (running, placed):
        assert transitions.place(workload, host, environment=None)
    assert transitions.begin_start(running.pk, fresh(running).fence or 0)
    path = f"/api/v1/hosts/{host.pk}/remove/"
    refused = api(admin).post(path, {}, content_type=JSON)
    assert refused.status_code == 409
    assert "training is running" in refused.json()["detail"]
    assert fresh(running).state == "starting"
    for _ in range(2):
        done = api(admin).post(path, {"force": True}, content_type=JSON)
        assert (done.status_code, done.json()["state"]) == (200, "removed")
    assert fresh(running).state == "lost"
    assert "removed by admin" in fresh(running).detail
    assert (fresh(placed).state, fresh(placed).host) == ("queued", None)
    event = AuditEvent.objects.get(action="host.removed")
    assert event.after == {"state": "removed", "lost": [str(running.pk)]}


def test_a_removed_host_comes_back_only_with_a_token(host: Host, admin: User, client: Client) -> None:
    services.remove_host(host, acting_user=Actor.person(admin))
    assert make_host("away").state == "removed", "announcing itself does not help"
    with pytest.raises(Conflict):
        services.set_host_state(Host.objects.get(), state="active", acting_user=Actor.person(admin))
    answer = client.post("/api/v1/hosts/join/", {"token": make(admin), "name": host.name}, content_type=JSON)
    assert answer.status_code == 200
    assert [(one.pk, one.state) for one in Host.objects.all()] == [(host.pk, "active")]
    assert make_host("away").cpu == 4


def test_what_waits_for_a_removed_host_alone_fails(host: Host, admin: User) -> None:
    workload = queue()
    type(workload).objects.filter(pk=workload.pk).update(pinned_host=host)
    services.remove_host(host, acting_user=Actor.person(admin))
    assert fresh(workload).state == "failed"
    assert "was removed" in fresh(workload).detail


@pytest.mark.django_db(transaction=True)
def test_each_host_has_a_database_role_of_its_own_that_goes_with_it(
    client: Client, admin: User, settings: Settings
) -> None:
    here = connection.settings_dict
    settings.HOSTS_DATABASE_ADMIN_URL = f"postgresql://postgres@/postgres?host={here['HOST']}"
    answer = client.post("/api/v1/hosts/join/", {"token": make(admin), "name": "a"}, content_type=JSON)
    assert answer.status_code == 200, answer.content
    host = Host.objects.get()
    url = urlsplit(answer.json()["database_url"])
    assert (url.username, url.hostname) == (host.database_role, "db.example.org")
    assert url.password
    mine = f"postgresql://{host.database_role}@/{here['NAME']}?host={here['HOST']}"
    with psycopg.connect(mine, autocommit=True) as session:
        assert session.execute("SELECT session_user, current_user").fetchone() == (host.database_role, here["USER"])
        assert session.execute("SELECT name FROM compute_host").fetchone() == ("a",)
        services.remove_host(host, acting_user=Actor.person(admin))
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            psycopg.connect(mine)
        assert session.execute("SELECT state FROM compute_host").fetchone() == ("removed",), "it may still read why"
        assert end_access() == 0
        Host.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=1))
        assert end_access() == 1
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert Host.objects.get().database_role == ""
    assert end_access() == 0


def test_the_page_says_all_that_must_be_done_first_in_place_of_a_form_that_would_be_refused(
    browser_client: Callable[[User], Client], admin: User, settings: Settings
) -> None:
    for name, value in (("REDIS_URL", "redis://127.0.0.1:6379/0"), ("BLOBS", "/srv/blobs")):
        setattr(settings, f"HOSTS_{name}", "")
        setattr(settings, name, value)
    page = browser_client(admin).get("/hosts/add/").content.decode()
    assert "Make a token" not in page
    assert "can reach Redis of this installation" in page
    assert "<code>./modelwright up --hosts-address &lt;address of this machine&gt;</code>" in page
    assert "MODELWRIGHT_HOSTS_BLOBS" in page
    assert "PostgreSQL" not in page
    settings.HOSTS_REDIS_URL, settings.HOSTS_BLOBS = "redis://10.0.0.5:6379/0", "/mnt/blobs"
    assert "Make a token" in browser_client(admin).get("/hosts/add/").content.decode()


def test_the_pages_make_a_token_and_show_the_command_once(
    browser_client: Callable[[User], Client], admin: User, stranger: User, host: Host
) -> None:
    assert "Add a host" not in browser_client(stranger).get("/hosts/").content.decode()
    assert browser_client(stranger).get("/hosts/add/").status_code == 403
    person = browser_client(admin)
    assert "Add a host" in person.get("/hosts/").content.decode()
    assert person.post("/hosts/add/", {"labels": "a b=c"}).status_code == 422
    page = person.post("/hosts/add/", {"labels": "disk=ssd\nquiet"}).content.decode()
    assert "./modelwright join https://platform.example.org --token mwj_" in page
    tokens = person.get("/hosts/tokens/").content.decode()
    assert "disk=ssd, quiet" in tokens
    assert "mwj_" not in tokens
    assert "Nothing matches" in person.get("/hosts/tokens/?state=used").content.decode()
    answer = person.post(f"/hosts/tokens/{JoinToken.objects.get().pk}/revoke/", follow=True)
    assert "Nobody can join" in answer.content.decode()
    assert "Revoked" in person.get("/hosts/tokens/?state=revoked").content.decode()


def test_the_page_says_what_a_removal_will_do(
    browser_client: Callable[[User], Client], admin: User, stranger: User, host: Host
) -> None:
    assert browser_client(stranger).get(f"/hosts/{host.pk}/remove/").status_code == 403
    person = browser_client(admin)
    assert "although something runs" not in person.get(f"/hosts/{host.pk}/remove/").content.decode()
    running = queue(name="training")
    transitions.place(running, host, environment=None)
    transitions.begin_start(running.pk, fresh(running).fence or 0)
    page = person.get(f"/hosts/{host.pk}/remove/").content.decode()
    assert "training (starting) will be lost" in page
    assert person.post(f"/hosts/{host.pk}/remove/").status_code == 409
    answer = person.post(f"/hosts/{host.pk}/remove/", {"force": "on"}, follow=True)
    assert "is removed" in answer.content.decode()
    assert "Remove<span" not in answer.content.decode(), "there is nothing left to remove"
    assert fresh(running).state == "lost"


def test_the_platforms_own_machine_is_not_removed(admin: User) -> None:
    with pytest.raises(Conflict, match="itself runs on"):
        services.remove_host(make_host(), force=True, acting_user=Actor.person(admin))
    assert Host.objects.get().state == "active"


def test_removing_needs_a_person(host: Host) -> None:
    with pytest.raises(PermissionRefused):
        services.remove_host(host, acting_user=ACTOR)
    assert Host.objects.get().memory_bytes == 8 * GIB

"""Each host has a Redis user of its own: a worker does its work with it, nothing else, and it goes with the host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from django.test import Client
from kombu.connection import Connection
from pytest_django import Settings

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.celery import app
from modelwright.compute import redis_users, services
from modelwright.compute.models import Host
from modelwright.compute.services.removal import end_access
from modelwright.core.ids import new_id
from modelwright.core.queues import DEFAULT, host_queue
from modelwright.local.layout import Layout
from modelwright.local.process import Child, start
from modelwright.local.redis import Redis
from tests.ports import free_port

from .backends_support import wait_until
from .test_worker import database_url

pytestmark = pytest.mark.django_db(transaction=True)
Server = Callable[[], Child]


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[Server]:
    """A Redis that asks for a password; the call stops it and starts it again, without anything that it knew."""
    layout = Layout(tmp_path / "platform")
    layout.create()
    layout.redis_password.write_text("secret\n")
    made = Redis(
        layout.redis, durable=False, address="127.0.0.1", port=free_port(), password_file=layout.redis_password
    )
    made.prepare()
    settings.REDIS_URL = settings.HOSTS_REDIS_URL = made.url()
    settings.HOSTS_REDIS_USERS = True
    running: list[Child] = []

    def again() -> Child:
        if running:
            running[0].ask_to_stop()
            running.pop().wait_or_kill(10)
        running.append(start(made.program(), tmp_path / "redis.log"))
        wait_until(made.answers, what="Redis")
        return running[0]

    again()
    yield again
    running[0].ask_to_stop()
    running[0].wait_or_kill(10)


def join(client: Client, admin: User, name: str) -> str:
    """The Redis address that a new host is given."""
    token = services.create_join_token(acting_user=Actor.person(admin))[1]
    answer = client.post("/api/v1/hosts/join/", {"token": token, "name": name}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    url: str = answer.json()["redis_url"]
    return url


def test_a_hosts_user_may_do_what_its_worker_needs_and_nothing_else(
    server: Server, client: Client, admin: User
) -> None:
    url = join(client, admin, "gpu-1")
    host = Host.objects.get()
    assert urlsplit(url).username == host.redis_user == f"modelwright_host_{host.pk.hex}"
    assert urlsplit(url).password not in (None, "secret")
    assert str(urlsplit(url).password) not in str(Host.objects.values().get())
    own: Any = redis.Redis.from_url(url)
    assert own.lpush(DEFAULT, "x") == 1
    assert own.rpush(host_queue("other"), "x") == 1, "it places work on other hosts"
    refused: list[tuple[Any, ...]] = [
        *(("ACL", "LIST"), ("CONFIG", "GET", "requirepass"), ("FLUSHALL",), ("KEYS", "*"), ("SCAN", "0"), ("INFO",)),
        *(("CLIENT", "LIST"), ("MONITOR",), ("DEBUG", "OBJECT", DEFAULT), ("REPLICAOF", "NO", "ONE"), ("SHUTDOWN",)),
        *(("GET", "session-ticket:1"), ("SET", "anything", "1"), ("PUBLISH", "other", "x"), ("SUBSCRIBE", "other")),
        *(("LPUSH", "worker@other.celery.pidbox", "x"), ("EVAL", "return redis.call('GET', 'x')", "1", "x")),
        ("EVAL", "return redis.call('CONFIG', 'GET', '*')", "0"),
    ]
    for command in refused:
        with pytest.raises(redis.ResponseError) as error:
            own.execute_command(*command)
        words = str(error.value).lower()
        assert any(each in words for each in ("noperm", "no permission", "not allowed from scripts")), (command, words)
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(_with_password(url, "secret")).ping()


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{password}@{parts.netloc.rpartition('@')[2]}"))


def test_a_hosts_access_goes_with_it_and_nobody_elses(server: Server, client: Client, admin: User) -> None:
    mine, others = (redis.Redis.from_url(join(client, admin, name)) for name in ("a", "b"))
    assert mine.ping()
    assert others.ping()
    services.remove_host(Host.objects.get(name="a"), acting_user=Actor.person(admin))
    with pytest.raises(redis.ConnectionError):
        mine.ping()
    assert others.ping()
    assert Host.objects.get(name="a").redis_user == ""
    again = redis.Redis.from_url(join(client, admin, "a"))
    assert again.ping()


def test_a_removal_while_redis_is_away_ends_the_access_later(
    server: Server, client: Client, admin: User, settings: Settings
) -> None:
    url = join(client, admin, "a")
    there, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    services.remove_host(Host.objects.get(), acting_user=Actor.person(admin))
    assert redis_users.tick() == 0
    settings.REDIS_URL = there
    assert redis.Redis.from_url(url).ping()
    end_access()
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(url).ping()
    assert Host.objects.get().redis_user == ""


def test_where_redis_lets_nobody_make_users_nothing_changes(
    server: Server, client: Client, admin: User, settings: Settings
) -> None:
    settings.HOSTS_REDIS_USERS = False
    assert join(client, admin, "a") == settings.HOSTS_REDIS_URL
    assert Host.objects.get().redis_user == ""


@pytest.mark.slow
def test_a_real_worker_works_with_its_hosts_user_also_after_redis_has_lost_all(
    server: Server, client: Client, admin: User, data: Path, settings: Settings
) -> None:
    url = join(client, admin, "gpu-1")
    log = data / "worker.log"
    words = ["--concurrency", "1", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "MODELWRIGHT_DATA_DIR": str(data),
        "REDIS_URL": url,
        "MODELWRIGHT_HOST_NAME": "gpu-1",
    }
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "modelwright", "worker", *words, "--hostname", "worker@gpu-1"],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: b" ready." in log.read_bytes(), what="the worker")
        for queue in (DEFAULT, host_queue("gpu-1")):
            _is_done(log, settings.REDIS_URL, queue)
        platform = redis.Redis.from_url(settings.REDIS_URL)
        # Clients tell their name and version where they may, and go on where they may not.
        assert {entry["object"] for entry in platform.acl_log()} <= {"client"}
        server()
        wait_until(lambda: redis_users.tick() == 1, what="Redis, which is new")
        assert redis_users.tick() == 0
        _is_done(log, settings.REDIS_URL, host_queue("gpu-1"))
        assert {entry["object"] for entry in platform.acl_log() if entry["reason"] != "auth"} <= {"client"}
    finally:
        worker.kill()
        worker.wait()


def _is_done(log: Path, url: str, queue: str) -> None:
    """A message to that queue is taken and done."""
    with Connection(url) as connection:  # type: ignore[no-untyped-call]  # kombu has no types
        sent = app.send_task("compute.place_and_start", args=(str(new_id()),), queue=queue, connection=connection)
    done = f"[{sent.id}] succeeded".encode()
    wait_until(lambda: done in log.read_bytes(), what=f"the message to {queue}, see {log}")

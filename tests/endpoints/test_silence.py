"""A replica whose process lives and answers no more is asked no more, and replaced. One that is busy is left alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from models.endpoints import selectors, services, silence
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint, PublishedRoutes, Replica
from models.endpoints.probing import ping
from models.endpoints.routes import published
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.models import Host, Workload
from projects.models import Project
from tests.endpoints.test_reconciler import deploy, settle
from tests.gateway.processes import RECORD, Gateway
from tests.models_support import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
Turn = Callable[[], bool]
SLOW = {**RECORD, "alcohol": -2}


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))


@pytest.fixture
def watched(turn: Turn, monkeypatch: pytest.MonkeyPatch) -> Turn:
    """One round of everything, with less patience than usual."""
    monkeypatch.setattr(silence, "QUIET_SECONDS", 1.0)
    monkeypatch.setattr(silence, "HUNG_SECONDS", 6.0)
    watch = silence.Watch()

    def once() -> bool:
        watch.tick()
        return turn()

    return once


@pytest.fixture
def hung() -> Iterator[list[int]]:
    """What a test stops, so that it goes on however that ends."""
    found: list[int] = []
    yield found
    for pid in found:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)


def stop(replica: Replica, stopped: list[int]) -> None:
    pong = ping(replica.socket)
    assert pong is not None
    stopped.append(pong["pid"])
    os.kill(pong["pid"], signal.SIGSTOP)


def sockets(endpoint: Endpoint) -> list[str]:
    return list(published()[endpoint.path]["targets"][0]["sockets"])


def test_a_hung_replica_is_taken_out_while_the_other_answers_and_then_replaced(
    endpoint: Endpoint, ann: User, watched: Turn, gateway: Gateway, backend: LocalBackend, hung: list[int]
) -> None:
    actor = Actor.person(ann)
    change_endpoint(endpoint, min_replicas=2, max_replicas=2, acting_user=actor)
    _, key = services.create_key(endpoint, name="load", acting_user=actor)
    assert settle(deploy(endpoint, ann, "one", 1), watched) == "live"
    wait_for(lambda: watched() and len(sockets(endpoint)) == 2)
    silent, other = selectors.replicas_of(endpoint)
    stop(silent, hung)

    wait_for(lambda: watched() and sockets(endpoint) == [other.socket])
    silent.refresh_from_db()
    assert silent.silent_since is not None
    assert not silent.workload.cancel_requested_at
    wait_for(lambda: gateway.ready()["revision"] == PublishedRoutes.objects.get().revision)
    for _ in range(20):
        assert gateway.predict(RECORD, key=key).status_code == 200

    wait_for(lambda: watched() and len(sockets(endpoint)) == 2)
    assert silent.socket not in sockets(endpoint)
    silent.workload.refresh_from_db()
    assert silent.workload.cancel_requested_at is not None
    event = AuditEvent.objects.get(action="workload.cancel-requested", target_id=str(silent.workload_id))
    assert "not answered a ping" in event.reason
    assert gateway.predict(RECORD, key=key).status_code == 200


def test_the_only_replica_that_hangs_is_replaced_and_what_it_left_unanswered_counts(
    endpoint: Endpoint, ann: User, watched: Turn, data: Path, backend: LocalBackend, settings: Any, hung: list[int]
) -> None:
    gateway = Gateway(data / "gateway", "--timeout", "2")
    settings.GATEWAY_URL = settings.GATEWAY_INTERNAL_URL = gateway.url
    try:
        _, key = services.create_key(endpoint, name="load", acting_user=Actor.person(ann))
        assert settle(deploy(endpoint, ann, "one", 1), watched) == "live"
        only = selectors.replicas_of(endpoint).get()
        stop(only, hung)
        assert gateway.predict(RECORD, key=key).status_code == 504
        wait_for(lambda: watched() and sockets(endpoint) not in ([], [only.socket]))
        wait_for(lambda: gateway.predict(RECORD, key=key).status_code == 200)
        wait_for(lambda: counted(gateway)["failed"] >= 1 and counted(gateway)["answered"] >= 1)
    finally:
        gateway.stop(signal.SIGKILL)


def counted(gateway: Gateway) -> dict[str, int]:
    """What the gateway told of its availability: each minute as it was told last."""
    told = {each["minute"]: each for each in gateway.spooled() if each.get("kind") == "availability"}
    return {name: sum(int(each[name]) for each in told.values()) for name in ("answered", "failed")}


def test_a_replica_that_works_on_something_slow_is_left_alone(
    endpoint: Endpoint, ann: User, watched: Turn, gateway: Gateway, backend: LocalBackend
) -> None:
    _, key = services.create_key(endpoint, name="load", acting_user=Actor.person(ann))
    assert settle(deploy(endpoint, ann, "moody", 1), watched) == "live"
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        # The model takes three seconds for each.
        slow = pool.submit(lambda: [gateway.predict(SLOW, key=key).status_code for _ in range(2)])
        while not slow.done():
            watched()
            only = selectors.replicas_of(endpoint).get()
            assert only.silent_since is None
            assert only.workload.cancel_requested_at is None
        assert slow.result() == [200] * 2
    assert time.monotonic() - began > 6


def test_what_was_silent_for_a_moment_is_asked_again_and_not_replaced(
    endpoint: Endpoint, ann: User, watched: Turn, gateway: Gateway, backend: LocalBackend, hung: list[int]
) -> None:
    assert settle(deploy(endpoint, ann, "one", 1), watched) == "live"
    only = selectors.replicas_of(endpoint).get()
    stop(only, hung)
    wait_for(lambda: watched() and selectors.replicas_of(endpoint).get().silent_since is not None)
    assert sockets(endpoint) == [only.socket], "nobody else could be asked"
    os.kill(hung[0], signal.SIGCONT)
    wait_for(lambda: watched() and selectors.replicas_of(endpoint).get().silent_since is None)
    assert selectors.replicas_of(endpoint).get().workload.cancel_requested_at is None


def test_a_bridge_that_cannot_be_reached_is_not_mended_by_another_replica(
    endpoint: Endpoint,
    ann: User,
    watched: Turn,
    gateway: Gateway,
    backend: LocalBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settle(deploy(endpoint, ann, "one", 1), watched) == "live"
    only = selectors.replicas_of(endpoint).get()
    elsewhere = Host.objects.create(name="elsewhere", state="active", cpu=1, memory_bytes=1)
    Workload.objects.filter(pk=only.workload_id).update(host=elsewhere)
    Replica.objects.filter(pk=only.pk).update(socket="bridge://127.0.0.1:9/w")
    monkeypatch.setattr(silence, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(silence, "HUNG_SECONDS", 0.0)
    silence.Watch().tick()
    only.refresh_from_db()
    assert only.silent_since is not None
    only.workload.refresh_from_db()
    assert only.workload.cancel_requested_at is None
    Workload.objects.filter(pk=only.workload_id).update(host=Host.objects.get(name="test-host"))
    silence.Watch().tick()
    only.workload.refresh_from_db()
    assert only.workload.cancel_requested_at is not None, "on this host there is no bridge"

"""Real model servers, a real gateway, and load while versions are switched."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from lineage.models import Edge
from models.endpoints import reconciler, replicas, routes, selectors, services
from models.endpoints.models import Deployment, Endpoint, Replica
from models.endpoints.probing import ping
from models.endpoints.trying import try_predict
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.models import Environment, EnvironmentRequest, Host
from modelwright.core.errors import PermissionRefused, ValidationFailed
from modelwright.storage.settings import models_folder
from projects.models import Project
from tests.gateway.processes import RECORD, Gateway, Process
from tests.models_support import ready_version, wait_for, watch

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
Turn = Callable[[], bool]


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))


def deploy(endpoint: Endpoint, ann: User, model: str, number: int) -> Deployment:
    version = ready_version(endpoint.project, model, number=number)
    return services.deploy(endpoint, model_version=version, reason=f"model {model}", acting_user=Actor.person(ann))


def settle(deployment: Deployment, turn: Turn) -> str:
    def settled() -> bool:
        turn()
        deployment.refresh_from_db()
        return deployment.state not in ("pending", "starting")

    wait_for(settled)
    return deployment.state


class Load:
    """Predicts from several threads until the block ends, each after a pause of so many seconds."""

    def __init__(self, gateway: Gateway, key: str, *, pause: float = 0.005) -> None:
        self.answers: list[tuple[int, int]] = []
        self.failures: list[str] = []
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(gateway, key)) for _ in range(3)]

    def _run(self, gateway: Gateway, key: str) -> None:
        while not self._stop.is_set():
            answer = gateway.predict(RECORD, key=key)
            if answer.status_code == 200:
                content = answer.json()
                self.answers.append((content["deployment"], content["version"]))
            else:
                self.failures.append(answer.text)
            time.sleep(self._pause)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_deploy_switch_and_roll_back_without_a_failed_request(
    endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway
) -> None:
    actor = Actor.person(ann)
    _, key = services.create_key(endpoint, name="load", acting_user=actor)
    assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
    with Load(gateway, key) as load:
        second = deploy(endpoint, ann, "two", 2)
        assert settle(second, turn) == "live"
        wait_for(lambda: (2, 2) in load.answers)
        before = Replica.objects.count()
        rounds: list[bool] = []

        def counted() -> bool:
            rounds.append(turn())
            return True

        back = services.rollback(endpoint, reason="two is worse", acting_user=actor)
        assert settle(back, counted) == "live"
        wait_for(lambda: (3, 1) in load.answers)
    assert load.failures == []
    assert {number for number, _ in load.answers} == {1, 2, 3}
    assert all(version == {1: 1, 2: 2, 3: 1}[number] for number, version in load.answers)
    assert Replica.objects.count() == before, "a rollback needs no new replica"
    assert len(rounds) <= 3, "its replicas are warm: there is nothing to wait for"
    assert list(selectors.deployments_of(endpoint).values_list("number", "state")) == [
        (3, "live"),
        (2, "superseded"),
        (1, "superseded"),
    ]
    live = AuditEvent.objects.filter(action=AuditAction.DEPLOYMENT_LIVE)
    assert live.count() == 3
    kinds = set(Edge.objects.values_list("src__kind", "dst__kind"))
    assert kinds == {("model_version", "deployment"), ("deployment", "endpoint")}


def test_a_version_that_does_not_start_fails_with_its_log_and_the_old_one_serves_on(
    endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway, data: Path
) -> None:
    _, key = services.create_key(endpoint, name="load", acting_user=Actor.person(ann))
    assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
    version = ready_version(endpoint.project, "two", number=2)
    (data / "environments" / "0bad" / "bin").mkdir(parents=True)
    (data / "environments" / "0bad" / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    (data / "environments" / "0bad" / ".ready").touch()
    environment = Environment.objects.create(lock_digest="0bad", lock="", python_version="3.11")
    version.environment_request = EnvironmentRequest.objects.create(
        requirements_digest="0bad",
        python_version="3.11",
        kind="requirements.txt",
        state="ready",
        environment=environment,
    )
    version.save()
    bad = services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))
    with Load(gateway, key) as load:
        assert settle(bad, turn) == "failed"
    assert "mlflow" in bad.detail
    assert load.failures == []
    assert {number for number, _ in load.answers} == {1}
    event = AuditEvent.objects.get(action=AuditAction.DEPLOYMENT_FAILED)
    assert "mlflow" in event.reason
    for _ in range(5):
        turn()
    bad.refresh_from_db()
    assert bad.state == "failed"


def test_a_killed_replica_is_replaced(
    endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway, backend: LocalBackend
) -> None:
    _, key = services.create_key(endpoint, name="load", acting_user=Actor.person(ann))
    assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
    first = selectors.replicas_of(endpoint).get()
    pong = ping(first.socket)
    assert pong is not None
    os.kill(pong["pid"], signal.SIGKILL)

    def replaced() -> bool:
        turn()
        second = selectors.replicas_of(endpoint).first()
        return second is not None and second.pk != first.pk and second.healthy_at is not None

    wait_for(replaced)
    wait_for(lambda: turn() and gateway.predict(RECORD, key=key).status_code == 200)
    assert not Path(first.socket).exists()


def test_a_deployment_whose_replica_never_answers_fails_and_says_where_to_look(
    endpoint: Endpoint, ann: User, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "probe", lambda _replica: False)
    monkeypatch.setattr(replicas, "STARTUP_LIMIT", timedelta(seconds=1))
    deployment = deploy(endpoint, ann, "one", 1)
    assert settle(deployment, turn) == "failed"
    deployment.refresh_from_db()
    assert "did not answer within" in deployment.detail
    assert "bridge" in deployment.detail


def test_everything_comes_back_after_the_host_has_lost_all(
    endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway, backend: LocalBackend, data: Path
) -> None:
    _, key = services.create_key(endpoint, name="load", acting_user=Actor.person(ann))
    assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
    revision = json.loads(routes.routes_file().read_text())["revision"]
    for status in backend.list():
        backend.stop(status.key)
    wait_for(lambda: turn() and not any(status.phase != "ended" for status in backend.list()))
    routes.routes_file().unlink()
    wait_for(lambda: turn() and gateway.predict(RECORD, key=key).status_code == 200)
    assert json.loads(routes.routes_file().read_text())["revision"] > revision
    assert Deployment.objects.get().state == "live"


def test_a_changed_checkout_is_not_served(endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway) -> None:
    version = ready_version(endpoint.project, "one")
    folder = models_folder() / version.manifest_digest
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("evil")
    deployment = services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))
    assert settle(deployment, turn) == "live"
    assert "flavors" in (folder / "MLmodel").read_text()


def test_stopped_endpoints_answer_no_more_and_their_replicas_end(
    endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway
) -> None:
    actor = Actor.person(ann)
    _, key = services.create_key(endpoint, name="load", acting_user=actor)
    assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
    assert gateway.predict(RECORD, key=key).status_code == 200
    services.stop(endpoint, acting_user=actor)
    wait_for(lambda: turn() and not selectors.replicas_of(endpoint).exists())
    wait_for(lambda: gateway.predict(RECORD, key=key).status_code == 404)
    back = services.deploy(
        endpoint, model_version=Deployment.objects.get().targets.get().model_version, acting_user=actor
    )
    assert settle(back, turn) == "live"


def test_revoked_keys_are_refused_after_the_next_table(
    endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway
) -> None:
    actor = Actor.person(ann)
    key, text = services.create_key(endpoint, name="load", acting_user=actor)
    assert not reconciler.tick()
    deployment = deploy(endpoint, ann, "one", 1)
    assert reconciler.tick()
    assert settle(deployment, turn) == "live"
    assert not reconciler.tick()
    assert gateway.predict(RECORD, key=text).status_code == 200
    services.revoke_key(key, acting_user=actor)
    turn()
    wait_for(lambda: gateway.predict(RECORD, key=text).status_code == 401)


def test_the_page_tries_an_endpoint_through_the_gateway(
    endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway, make_user: Callable[..., User]
) -> None:
    assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
    answer = try_predict(endpoint, records=[RECORD], acting_user=Actor.person(ann))
    assert answer["predictions"][0].startswith("one:")
    with pytest.raises(ValidationFailed) as caught:
        try_predict(endpoint, records=[{**RECORD, "alcohol": "strong"}], acting_user=Actor.person(ann))
    assert caught.value.errors[0].field == "records[0].alcohol"
    with pytest.raises(PermissionRefused):
        try_predict(endpoint, records=[RECORD], acting_user=Actor.person(make_user("eve", is_auditor=True)))
    assert len(gateway.recorded()) == 1


def test_a_second_reconciler_at_the_same_time_does_nothing(endpoint: Endpoint, ann: User, data: Path) -> None:
    deploy(endpoint, ann, "one", 1)
    done: dict[str, Any] = {}

    def other() -> None:
        try:
            reconciler.tick()
            done["pending"] = Deployment.objects.get().state
        finally:
            connection.close()

    with reconciler._alone() as alone:
        assert alone
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert done == {"pending": "pending"}


def test_a_replica_of_another_host_is_probed_and_served_through_its_bridge(
    endpoint: Endpoint, ann: User, host: Host, backend: LocalBackend, data: Path, settings: Any
) -> None:
    """One machine plays both parts: the reconciler takes itself for another host than the watcher."""
    _, key = services.create_key(endpoint, name="load", acting_user=Actor.person(ann))
    deployment = deploy(endpoint, ann, "one", 1)
    secret = data / "secret"
    secret.write_text(settings.SECRET_KEY)
    gateway = Gateway(data / "gateway", "--secret-file", str(secret))
    command = [sys.executable, "-m", "models.gateway.bridge", "--listen", "127.0.0.1:0", "--secret-file", str(secret)]
    bridge = Process([*command, "--sockets", str(settings.SOCKETS_DIR)], data / "bridge.log")
    try:
        port = int(bridge.wait_for_line(r"listening on [\d.]+:(\d+)")[1])
        settings.GATEWAY_URL = settings.GATEWAY_INTERNAL_URL = gateway.url
        Host.objects.filter(pk=host.pk).update(address="127.0.0.1", bridge_port=port)

        def turn() -> bool:
            watch(host, backend)
            settings.HOST_NAME = "elsewhere"
            reconciler.tick()
            settings.HOST_NAME = host.name
            return True

        assert settle(deployment, turn) == "live"
        assert Replica.objects.get().socket.startswith(f"bridge://127.0.0.1:{port}/")
        assert gateway.predict(RECORD, key=key).status_code == 200
    finally:
        bridge.stop(signal.SIGKILL)
        gateway.stop(signal.SIGKILL)

"""Going back while nobody comes round, while the gateway knows no database, and while there is none at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from models.endpoints import hastening, reconciler, routes, selectors, services
from models.endpoints.models import Deployment, Endpoint
from models.gateway import table_file
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.local.layout import REPOSITORY
from projects.models import Project
from tests.endpoints.test_reconciler import Load, deploy, settle
from tests.gateway.processes import Gateway
from tests.models_support import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
NOBODY = "postgresql://nobody@127.0.0.1:9/none"


@contextmanager
def listening() -> Iterator[None]:
    """The process that follows hints; nobody comes round beside it."""
    stop = threading.Event()
    ready = threading.Event()

    def run() -> None:
        listener = hastening.Listener()
        try:
            while not stop.is_set():
                listener.listen()
                ready.set()
                listener.tick()
        finally:
            listener.close()
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(30)
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def gateway(data: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A real gateway for which there is no database."""
    with monkeypatch.context() as patch:
        patch.setenv("DATABASE_URL", NOBODY)
        made = Gateway(data / "gateway")
    settings.GATEWAY_URL = settings.GATEWAY_INTERNAL_URL = made.url
    yield made
    made.stop(signal.SIGKILL)


def command(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`./modelwright rollback`, where no server answers."""
    return subprocess.run(
        [sys.executable, "-m", "modelwright.local", "rollback", *words],
        cwd=REPOSITORY,
        env={**os.environ, "MODELWRIGHT_DATA_DIR": str(data), "DATABASE_URL": NOBODY, "REDIS_URL": "redis://[::1]:9"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_going_back_needs_neither_a_round_nor_the_gateways_database_nor_any(
    project: Project, ann: User, turn: Callable[[], bool], gateway: Gateway, data: Path, api: Any
) -> None:
    actor = Actor.person(ann)
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=actor)
    _, key = services.create_key(endpoint, name="load", acting_user=actor)
    assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
    second = deploy(endpoint, ann, "two", 2)
    assert settle(second, turn) == "live"
    turn()
    assert command(data, endpoint.path, "--reason", " ").returncode == 1
    with Load(gateway, key) as load:
        wait_for(lambda: (2, 2) in load.answers)
        _by_api(endpoint, api(ann), load)
        reconciler.tick()
        _by_command(endpoint, gateway, data, load)
        _adopted(endpoint, second)
        wait_for(lambda: len(load.answers) > 50)
    assert load.failures == []
    assert {answer for answer in load.answers if answer[0] > 2} == {(3, 1), (4, 2)}


def _by_api(endpoint: Endpoint, client: Any, load: Load) -> None:
    with listening():
        body = {"reason": "two is worse"}
        answer = client.post(f"/api/v1/endpoints/{endpoint.pk}/rollbacks/", body, content_type="application/json")
        assert answer.status_code == 201
        assert answer.json()["state"] == "live", "what is warm serves before the answer is out"
        wait_for(lambda: (3, 1) in load.answers)


def _by_command(endpoint: Endpoint, gateway: Gateway, data: Path, load: Load) -> None:
    done = command(data, endpoint.path, "--reason", "one is worse still", "--to", "2", "--gateway", gateway.url)
    assert done.returncode == 0, done.stderr
    assert "wine 2" in done.stdout
    wait_for(lambda: (4, 2) in load.answers)
    assert not Deployment.objects.filter(number=4).exists()


def _adopted(endpoint: Endpoint, second: Deployment) -> None:
    table = table_file.read(routes.routes_file())
    assert table is not None
    id_ = table["endpoints"][endpoint.path]["deployment_id"]
    for _ in range(2):
        reconciler.tick()
    live = selectors.live_deployment(endpoint)
    assert live is not None
    assert (str(live.pk), live.number, live.repeats, live.is_emergency) == (id_, 4, second, True)
    assert live.reason == "one is worse still"
    assert routes.published()[endpoint.path]["deployment_id"] == id_
    assert "rolled_back" not in routes.published()[endpoint.path]
    event = AuditEvent.objects.get(action="rollback.emergency")
    assert (event.reason, event.target_id) == ("one is worse still", str(live.pk))

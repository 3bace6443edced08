"""Two hosts, each with a replica of one version; one of them goes. One machine plays both, each with a data directory,
a backend and, for the one that is away from the gateway, a real bridge of its own."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from models.endpoints import reconciler, services
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Replica
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute import copies, silence
from modelwright.compute import services as compute
from modelwright.compute.backends.base import Cause, Phase
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.layout import local_backend
from modelwright.compute.models import GIB, Host, Workload
from projects.models import Project
from tests.endpoints.test_reconciler import Load, deploy, settle
from tests.gateway.processes import Gateway, Process
from tests.models_support import ready_environment, wait_for, watch

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


@dataclass
class Away:
    """The host that will go."""

    folder: Path
    settings: Any
    host: Host
    bridge: Process
    backend: LocalBackend | None = None
    is_there: bool = True

    @contextmanager
    def here(self) -> Iterator[None]:
        """Whatever runs meanwhile takes itself for that host."""
        settings = self.settings
        before = settings.HOST_NAME, settings.DATA_DIR, settings.SOCKETS_DIR
        settings.HOST_NAME, settings.DATA_DIR, settings.SOCKETS_DIR = self.host.name, self.folder, self.folder / "s"
        try:
            yield
        finally:
            settings.HOST_NAME, settings.DATA_DIR, settings.SOCKETS_DIR = before

    def turn(self) -> None:
        """One round of its watcher, as long as it is there."""
        if self.is_there:
            with self.here():
                self.backend = self.backend or local_backend()
                watch(self.host, self.backend)

    def goes(self) -> None:
        """Power off: its processes end, and nobody hears of it any more."""
        self.is_there = False
        self.bridge.stop(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        """Nothing of it runs."""
        if self.backend is None:
            return
        for status in self.backend.list():
            if status.phase is not Phase.ENDED:
                self.backend.stop(status.key, cause=Cause.CANCELLED)


@pytest.fixture
def away(host: Host, data: Path, settings: Any) -> Iterator[Away]:
    """Another host with the same stored files and environments, reached through its bridge."""
    with tempfile.TemporaryDirectory(prefix="mwa-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "s").mkdir()
        secret = folder / "secret"
        secret.write_text(settings.SECRET_KEY)
        request = ready_environment()
        for shared in ("blobs", "environments"):
            (data / shared).mkdir(exist_ok=True)
            (folder / shared).symlink_to(data / shared)
        command = [sys.executable, "-m", "models.gateway.bridge", "--listen", "127.0.0.1:0"]
        command += ["--secret-file", str(secret), "--sockets", str(folder / "s")]
        bridge = Process(command, folder / "bridge.log")
        port = int(bridge.wait_for_line(r"listening on [\d.]+:(\d+)")[1])
        made = compute.announce_host(name="away", cpu=8, memory_bytes=16 * GIB, acting_user=Actor.system("tests"))
        Host.objects.filter(pk=made.pk).update(address="127.0.0.1", bridge_port=port)
        assert request.environment is not None
        for each in (host, made):
            copies.enter_copy(request.environment, each)
        away = Away(folder, settings, made, bridge)
        yield away
        bridge.stop(signal.SIGKILL)
        away.end()


def test_when_a_host_goes_the_other_answers_everything_and_the_replica_starts_there(
    host: Host, away: Away, backend: LocalBackend, data: Path, project: Project, ann: User, settings: Any
) -> None:
    actor = Actor.person(ann)
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=actor)
    change_endpoint(endpoint, min_replicas=2, max_replicas=2, acting_user=actor)
    _, key = services.create_key(endpoint, name="load", acting_user=actor)
    gateway = Gateway(data / "gateway", "--secret-file", str(away.folder / "secret"))
    settings.GATEWAY_URL = settings.GATEWAY_INTERNAL_URL = gateway.url

    def turn() -> bool:
        watch(host, backend)
        away.turn()
        reconciler.tick()
        return True

    def hosts() -> list[str]:
        running = Replica.objects.filter(workload__finished_at=None, healthy_at__isnull=False)
        return sorted(running.values_list("workload__host__name", flat=True))

    try:
        assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
        assert hosts() == ["away", "test-host"]
        with Load(gateway, key) as load:
            wait_for(lambda: len(load.answers) > 50)
            away.goes()
            before = len(load.answers)
            wait_for(lambda: turn() and len(load.answers) > before + 50)
            assert hosts() == ["away", "test-host"], "nobody knows yet that it will not come back"
            # Some minutes later.
            past = timezone.now() - timedelta(minutes=5)
            Host.objects.filter(pk=away.host.pk).update(heartbeat_at=past)
            Workload.objects.filter(host=away.host).update(lease_expires_at=past)
            silence.give_up_silent_hosts()
            wait_for(lambda: turn() and hosts() == ["test-host", "test-host"])
            before = len(load.answers)
            wait_for(lambda: len(load.answers) > before + 50)
        assert load.failures == []
    finally:
        gateway.stop(signal.SIGKILL)

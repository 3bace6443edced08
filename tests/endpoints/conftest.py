"""Fixtures: a platform in small, of this process: a data directory, a host, the reconciler, a real gateway."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.approvals import services as approvals
from models.endpoints import reconciler
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute import services as compute
from modelwright.compute.backends.base import Cause, Phase
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.layout import local_backend
from modelwright.compute.models import GIB, Host
from projects.models import Project
from tests.gateway.processes import Gateway
from tests.models_support import make_project, wait_for, watch


@pytest.fixture
def data(settings: Any) -> Iterator[Path]:
    """A data directory of the test's own, with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="mwe-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        settings.DATA_DIR = Path(folder)
        settings.SOCKETS_DIR = Path(folder) / "s"
        settings.SOCKETS_DIR.mkdir()
        (Path(folder) / "gateway").mkdir()
        yield Path(folder)


@pytest.fixture
def backend(data: Path) -> Iterator[LocalBackend]:
    """This host's backend; what is left running is killed."""
    made = local_backend()
    yield made
    for status in made.list():
        if status.phase is not Phase.ENDED:
            made.stop(status.key, cause=Cause.CANCELLED)
    wait_for(lambda: all(status.phase is Phase.ENDED for status in made.list()), seconds=60)


@pytest.fixture
def host(db: None) -> Host:
    """This host with room enough."""
    return compute.announce_host(name="test-host", cpu=8, memory_bytes=16 * GIB, acting_user=Actor.system("tests"))


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    """The project's administrator."""
    return make_user("ann")


@pytest.fixture
def bob(make_user: Callable[..., User]) -> User:
    """A contributor, where the test makes them one."""
    return make_user("bob")


@pytest.fixture
def cid(make_user: Callable[..., User]) -> User:
    """Another one."""
    return make_user("cid")


@pytest.fixture
def approve(bob: User, cid: User) -> Callable[[ModelVersion], None]:
    """Has a version of bob's approved for production by cid."""

    def once(version: ModelVersion) -> None:
        version.registered_by = bob
        version.save(update_fields=["registered_by"])
        for kind in ("tests", "replay", "card"):
            approvals.record_check(version, kind, "passed", acting_user=Actor.system("tests"))
        wanted = approvals.request_promotion(version, stage="production", acting_user=Actor.person(bob))
        approvals.approve(wanted, acting_user=Actor.person(cid))

    return once


@pytest.fixture
def project(ann: User) -> Project:
    """A project of ann's."""
    return make_project("wine", ann="admin")


@pytest.fixture
def gateway(data: Path, settings: Any) -> Iterator[Gateway]:
    """A real gateway over the data directory."""
    made = Gateway(data / "gateway")
    settings.GATEWAY_URL = settings.GATEWAY_INTERNAL_URL = made.url
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def turn(host: Host, backend: LocalBackend) -> Callable[[], bool]:
    """One round of watcher and reconciler."""

    def once() -> bool:
        watch(host, backend)
        reconciler.tick()
        return True

    return once

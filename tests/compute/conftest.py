from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from modelwright.celery import app
from modelwright.compute.backends.base import Phase
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.layout import local_backend
from modelwright.compute.models import Host

from .kinds import Kind, make_kind
from .support import make_host
from .swarm_support import MARKS, NOT_FOR_SWARM, take_down


@pytest.fixture(scope="package", autouse=True)
def _nodes_go() -> Iterator[None]:
    """Whatever comes after the tests here has the machine without the nodes of a swarm."""
    yield
    take_down()


KINDS = ["process-cgroups", "process-watched", "docker", "keeper", pytest.param("swarm", marks=MARKS)]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    """Each kind of backend in turn; what a failed test leaves running is stopped."""
    test = request.node.originalname
    if request.param == "swarm" and test in NOT_FOR_SWARM:
        pytest.skip(f"not for a swarm: {NOT_FOR_SWARM[test]}")
    made = make_kind(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def backend(kind: Kind) -> LocalBackend:
    """A backend of the kind, on a root of the test's own."""
    return kind.again()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for Unix sockets, whose paths may hold 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="mwg-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def data(tmp_path: Path, settings: Settings) -> Path:
    """A data directory of the test's own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def local(data: Path) -> Iterator[ProcessBackend]:
    """This host's backend in the test's data directory; what is left running is stopped."""
    made = local_backend()
    assert isinstance(made, ProcessBackend)
    yield made
    for status in made.list():
        if status.phase is not Phase.ENDED:
            made.stop(status.key)


@pytest.fixture
def host(db: None) -> Host:
    """This host with 4 CPUs and 8 GiB."""
    return make_host()


@pytest.fixture
def no_broker(settings: Settings) -> Iterator[None]:
    """A broker that nobody answers at: whatever still works does not need messages."""
    before = app.conf.broker_url
    app.conf.broker_url = "redis://127.0.0.1:1/0"
    forget_connections()
    yield
    app.conf.broker_url = before
    forget_connections()


def forget_connections() -> None:
    """Makes Celery read the broker's address again."""
    app._pool = app.amqp._producer_pool = None

"""Fixtures: a real MLflow server, a data directory, this host."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.registry.importer import Importer
from modelwright.accounts.actors import Actor
from modelwright.compute import services as compute
from modelwright.compute.backends.base import Phase
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.layout import local_backend
from modelwright.compute.models import GIB, Host
from tests.models_support import Tracking, tracking_server


@pytest.fixture(scope="session")
def _tracking() -> Iterator[Tracking]:
    with (
        tempfile.TemporaryDirectory(prefix="mwr-", dir="/tmp") as folder,
        tracking_server(Path(folder), f"mlflow_registry_{os.getpid()}") as running,
    ):
        yield running


@pytest.fixture
def data(settings: Any) -> Iterator[Path]:
    """A data directory of the test's own, with a short path."""
    with tempfile.TemporaryDirectory(prefix="mwr-", dir="/tmp") as folder:
        settings.DATA_DIR = Path(folder)
        yield Path(folder)


@pytest.fixture
def tracking(_tracking: Tracking, data: Path, settings: Any) -> Tracking:
    """A running MLflow server that the settings name."""
    settings.MLFLOW_DATABASE_URL = _tracking.database_url
    settings.MLFLOW_ARTIFACTS_DIR = _tracking.artifacts
    return _tracking


@pytest.fixture
def importer(tracking: Tracking) -> Iterator[Importer]:
    """An importer of the running MLflow."""
    made = Importer()
    yield made
    made.outbox.close()


@pytest.fixture
def host(db: None) -> Host:
    """This host with room enough."""
    return compute.announce_host(name="test-host", cpu=8, memory_bytes=16 * GIB, acting_user=Actor.system("tests"))


@pytest.fixture
def backend(data: Path) -> Iterator[LocalBackend]:
    """This host's backend; what is left running is stopped."""
    made = local_backend()
    yield made
    for status in made.list():
        if status.phase is not Phase.ENDED:
            made.stop(status.key)

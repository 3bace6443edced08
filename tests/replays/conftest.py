"""Fixtures: an endpoint that served one version and now serves another, and predictions of them on record."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from models.endpoints import services, transitions
from models.endpoints.models import Deployment, Endpoint
from models.predictions.models import Prediction
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute import services as compute
from modelwright.compute.backends.base import Cause, Phase
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.layout import local_backend
from modelwright.compute.models import GIB, Host
from modelwright.core.ids import new_id
from projects.models import Project
from tests.gateway.processes import RECORD
from tests.models_support import make_project, ready_version, wait_for

Predicted = Callable[..., Prediction]


@pytest.fixture
def data(settings: Any) -> Iterator[Path]:
    """A data directory of the test's own, with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="mwr-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        settings.DATA_DIR = Path(folder)
        settings.SOCKETS_DIR = Path(folder) / "s"
        settings.SOCKETS_DIR.mkdir()
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
def project(ann: User) -> Project:
    """A project of ann's."""
    return make_project("wine", ann="admin")


@pytest.fixture
def endpoint(data: Path, host: Host, project: Project, ann: User) -> Endpoint:
    """Deployment 1 served version 1; deployment 2 serves version 2 of the same files. No replica runs."""
    made = services.create_endpoint(project=project, name="tasting", acting_user=Actor.person(ann))
    for number in (1, 2):
        serve(made, ready_version(project, number=number))
    return made


def serve(endpoint: Endpoint, version: ModelVersion) -> Deployment:
    """Have the endpoint serve the version, as if a reconciler had seen to it."""
    deployment = services.deploy(endpoint, model_version=version, acting_user=Actor.system("tests"))
    for before in Deployment.objects.filter(endpoint=endpoint, state="live"):
        assert transitions.supersede(before)
    assert transitions.start(deployment)
    assert transitions.go_live(deployment)
    deployment.refresh_from_db()
    return deployment


def version_of(number: int) -> ModelVersion:
    """The version of that number."""
    return ModelVersion.objects.select_related("model__project", "environment_request").get(number=number)


@pytest.fixture
def predicted(endpoint: Endpoint) -> Predicted:
    """A prediction on record, by version 1 where nothing else is said: one record, answered `one:0`."""

    def make(number: int = 1, **changes: Any) -> Prediction:
        inputs = changes.get("inputs", [RECORD])
        facts = {
            "id": new_id(),
            "at": timezone.now(),
            "project_id": endpoint.project_id,
            "endpoint_id": endpoint.pk,
            "deployment_id": endpoint.deployments.get(number=number).pk,
            "model_version_id": version_of(number).pk,
            "inputs": inputs,
            "outputs": ["one:0"] * len(inputs),
            "latency_ms": 2.0,
            "endpoint_name": endpoint.path,
            "model_name": "wine",
            "version_number": number,
            "rows": len(inputs),
        }
        made: Prediction = Prediction.objects.create(**{**facts, **changes})
        return made

    return make

"""Fixtures: a spool as a gateway writes it, and an endpoint that its records name."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.endpoints import services
from models.endpoints.models import Deployment, EndpointKey
from models.gateway.ids import new_prediction_id
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from projects.models import Project
from tests.models_support import make_project

Record = dict[str, Any]


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    """The project's administrator."""
    return make_user("ann")


@pytest.fixture
def project(ann: User) -> Project:
    """A project of ann's."""
    return make_project("wine", ann="admin")


@pytest.fixture
def deployment(project: Project, ann: User) -> Deployment:
    """A deployment of a version; nothing serves it."""
    model = RegisteredModel.objects.create(project=project, name="wine")
    version = ModelVersion.objects.create(model=model, number=3, state="ready", source="x", artifact_digest="a" * 64)
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    return services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))


@pytest.fixture
def make_record(deployment: Deployment) -> Callable[..., Record]:
    """A record of the deployment as the gateway writes it."""
    key = EndpointKey.objects.get(endpoint=deployment.endpoint)
    version_id = str(deployment.targets.get().model_version_id)
    last = [""]

    def later_id() -> str:
        # Two ids of one millisecond are in no order.
        made = new_prediction_id()
        while made <= last[0]:
            made = new_prediction_id()
        last[0] = made
        return made

    def make(**changes: Any) -> Record:
        return {
            "id": later_id(),
            "at": time.time(),
            "endpoint_id": str(deployment.endpoint_id),
            "deployment_id": str(deployment.pk),
            "model_version_id": version_id,
            "key_id": str(key.pk),
            "inputs": [{"alcohol": 13.2}],
            "outputs": ["one:0"],
            "latency_ms": 3.5,
            "status": 200,
            **changes,
        }

    return make


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """An empty spool."""
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder

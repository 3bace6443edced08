"""Fixtures: an endpoint that serves a version, and what gateway, shipper and reconciler would do to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from models.endpoints import services, transitions
from models.endpoints.models import Deployment, Endpoint, EndpointKey
from models.gateway.ids import new_prediction_id
from models.predictions.storing import store
from models.registry.models import ModelVersion, RegisteredModel
from models.rollouts.models import Rollout
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import ProjectRole, WorkspaceRole
from projects.models import Project, ProjectMembership
from tests.endpoints.conftest import backend, data, gateway, host, turn  # noqa: F401 - a platform in small
from tests.models_support import make_project
from workspaces.models import Membership

SIGNATURE = {"inputs": [{"name": "alcohol", "type": "double", "required": True}], "outputs": None}


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    """The project's administrator."""
    return make_user("ann")


@pytest.fixture
def project(ann: User) -> Project:
    """A project of ann's."""
    return make_project("wine", ann="admin")


@pytest.fixture
def versions(project: Project, ann: User) -> list[ModelVersion]:
    """Three versions of ann's that are ready."""
    model = RegisteredModel.objects.create(project=project, name="wine")
    facts = {"state": "ready", "source": "x", "signature": SIGNATURE, "registered_by": ann}
    return [
        ModelVersion.objects.create(model=model, number=number, artifact_digest=str(number) * 64, **facts)
        for number in (1, 2, 3)
    ]


def serve(deployment: Deployment) -> Deployment:
    """What the reconciler does once its replicas answer."""
    assert transitions.start(deployment)
    for before in Deployment.objects.filter(endpoint=deployment.endpoint, state="live"):
        assert transitions.supersede(before)
    assert transitions.go_live(deployment)
    deployment.refresh_from_db()
    return deployment


@pytest.fixture
def endpoint(project: Project, ann: User, versions: list[ModelVersion]) -> Endpoint:
    """An endpoint that serves the first version."""
    made = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    serve(services.deploy(made, model_version=versions[0], acting_user=Actor.person(ann)))
    return made


def newest(endpoint: Endpoint) -> Deployment:
    """What was asked for last."""
    return Deployment.objects.filter(endpoint=endpoint).order_by("-number")[0]


def weights(deployment: Deployment) -> dict[int, tuple[str, int]]:
    """Role and weight by the number of the version."""
    return {each.model_version.number: (each.role, each.weight) for each in deployment.targets.all()}


def answered(
    deployment: Deployment,
    version: ModelVersion,
    count: int,
    *,
    errors: int = 0,
    latency_ms: float = 5.0,
    outputs: Sequence[Any] = ("one",),
    **facts: Any,
) -> None:
    """Records of so many requests, as the shipper stores them; the outputs take turns."""
    key = EndpointKey.objects.filter(endpoint=deployment.endpoint)[0]
    records = []
    for number in range(count):
        failed = number < errors
        record = {
            "id": new_prediction_id(),
            "at": time.time(),
            "endpoint_id": str(deployment.endpoint_id),
            "deployment_id": str(deployment.pk),
            "model_version_id": str(version.pk),
            "key_id": str(key.pk),
            "inputs": [{"alcohol": 13.2}],
            "outputs": [] if failed else [outputs[number % len(outputs)]],
            "latency_ms": latency_ms,
            "status": 502 if failed else 200,
            **facts,
        }
        if failed:
            record["error"] = {"code": "model_error", "message": "no"}
        records.append(record)
    assert store(records) == count


def fresh(rollout: Rollout) -> Rollout:
    """As it stands in the database."""
    return Rollout.objects.select_related("endpoint__project", "deployment", "before").get(pk=rollout.pk)


def make_member(project: Project, username: str, role: str) -> None:
    """Give a person a role in the project."""
    user = User.objects.get(username=username)
    member = Membership.objects.create(workspace=project.workspace, user=user, role=WorkspaceRole.MEMBER)
    ProjectMembership.objects.create(project=project, user=user, workspace_membership=member, role=ProjectRole(role))

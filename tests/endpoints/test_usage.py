"""What an endpoint used, by model and version, and what stopping it gave back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from models.endpoints import selectors, services, transitions
from models.endpoints.models import Endpoint, Replica
from models.endpoints.usage import usage_of
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import GIB, Workload
from modelwright.console.usage import answer, ask
from projects.models import Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))


@pytest.fixture
def version(project: Project) -> ModelVersion:
    model = RegisteredModel.objects.create(project=project, name="wine")
    made: ModelVersion = ModelVersion.objects.create(model=model, number=1, state="ready", source="x")
    return made


def replica(endpoint: Endpoint, version: ModelVersion, *, began: float, ended: float | None) -> Replica:
    """A replica with half a CPU and 2 GiB that was placed and ended so many hours ago."""
    now = timezone.now()
    workload = Workload.objects.create(
        kind="replica",
        name="a replica",
        created_by="endpoint reconciler",
        cpu=0.5,
        memory_bytes=2 * GIB,
        spec={"command": []},
        state="running" if ended is None else "cancelled",
        placed_at=now - timedelta(hours=began),
        finished_at=None if ended is None else now - timedelta(hours=ended),
        project_id=endpoint.project_id,
        workspace_id=endpoint.workspace_id,
    )
    made: Replica = Replica.objects.create(endpoint=endpoint, model_version=version, workload=workload)
    return made


def test_usage_goes_to_the_endpoint_the_version_and_the_model(
    endpoint: Endpoint, version: ModelVersion, ann: User
) -> None:
    replica(endpoint, version, began=10, ended=6)
    replica(endpoint, version, began=4, ended=None)
    used = usage_of(endpoint)
    assert used.ever.cpu_hours == pytest.approx(4, abs=0.01)
    assert used.ever.gib_hours == pytest.approx(16, abs=0.01)
    assert used.given_back is None
    since = str((timezone.now() - timedelta(days=2)).date())
    for by, name in (("model", "wine / wine"), ("version", "wine version 1"), ("endpoint", endpoint.path)):
        [row] = answer(ann, ask(ann, {"by": by, "since": since})).rows
        assert (row.name.label, row.usage.workloads) == (name, 2)
        assert row.usage.cpu_hours == pytest.approx(4, abs=0.01)


def test_a_stopped_endpoint_gave_back_what_its_replicas_had(
    endpoint: Endpoint, version: ModelVersion, ann: User, browser_client: Callable[[User], Client]
) -> None:
    deployment = services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))
    transitions.start(deployment)
    transitions.go_live(deployment)
    replica(endpoint, version, began=90, ended=80)
    live = [replica(endpoint, version, began=9, ended=None) for _ in range(2)]
    services.stop(endpoint, acting_user=Actor.person(ann))
    assert usage_of(endpoint).given_back is None
    endpoint.deployments.update(ended_at=timezone.now() - timedelta(hours=3, minutes=1))
    for each in live:
        values: dict[str, Any] = {"state": "cancelled", "finished_at": timezone.now() - timedelta(hours=3)}
        Workload.objects.filter(pk=each.workload_id).update(**values)
    back = usage_of(selectors.get_endpoint(ann, endpoint.pk)).given_back
    assert back is not None
    assert (back.cpu, back.memory_bytes, back.gpus) == (1.0, 4 * GIB, 0)
    assert back.since.cpu_hours == pytest.approx(3, abs=0.01)
    page = browser_client(ann).get(f"/endpoints/{endpoint.pk}/").content.decode()
    assert "Given back" in page
    assert "4.0" in page

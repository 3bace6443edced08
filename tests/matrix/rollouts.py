"""Rollouts of the matrix's project: one whose step serves, and one that is paused, each of an endpoint of its own."""

from __future__ import annotations

from typing import Any

from models.endpoints import services as endpoints
from models.endpoints import transitions
from models.endpoints.models import Deployment
from models.registry.models import ModelVersion
from models.rollouts import controller, services
from models.rollouts.models import Rollout
from modelwright.accounts.actors import Actor
from projects.models import Project

SYSTEM = Actor.system("tests")


def add_rollouts(project: Project, version: ModelVersion) -> dict[str, Any]:
    """`version` serves everywhere, and another version of its model is rolled out."""
    other = ModelVersion.objects.filter(model=version.model, state="ready").exclude(pk=version.pk)[0]
    running, paused = (_rollout(project, name, version, other) for name in ("slowly", "waiting"))
    controller.tick()
    services.pause(paused, acting_user=SYSTEM)
    return {"rollout_id": running.pk, "paused_rollout_id": paused.pk, "other_version_id": other.pk}


def _rollout(project: Project, name: str, before: ModelVersion, after: ModelVersion) -> Rollout:
    endpoint = endpoints.create_endpoint(project=project, name=name, acting_user=SYSTEM)
    _serve(endpoints.deploy(endpoint, model_version=before, acting_user=SYSTEM))
    rollout = services.start(endpoint, services.RolloutRequest(after), acting_user=SYSTEM)
    _serve(Deployment.objects.get(pk=rollout.deployment_id))
    return rollout


def _serve(deployment: Deployment) -> None:
    """As the reconciler would."""
    for before in Deployment.objects.filter(endpoint=deployment.endpoint, state="live"):
        assert transitions.supersede(before)
    assert transitions.start(deployment)
    assert transitions.go_live(deployment)

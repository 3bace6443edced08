"""Rollouts of the matrix's project: one whose step serves, and one that is paused, each of an endpoint of its own."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

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
    _ended(Deployment.objects.filter(targets__model_version=version, state="live").order_by("id")[0], other)
    return {"rollout_id": running.pk, "paused_rollout_id": paused.pk, "other_version_id": other.pk}


def _rollout(project: Project, name: str, before: ModelVersion, after: ModelVersion) -> Rollout:
    endpoint = endpoints.create_endpoint(project=project, name=name, acting_user=SYSTEM)
    _serve(endpoints.deploy(endpoint, model_version=before, acting_user=SYSTEM))
    rollout = services.start(endpoint, services.RolloutRequest(after), acting_user=SYSTEM)
    assert rollout.deployment is not None
    _serve(rollout.deployment)
    return rollout


def _ended(before: Deployment, version: ModelVersion) -> None:
    """A rollout of the matrix's own endpoint that is over: another can be started."""
    base = before.targets.get().model_version
    Rollout.objects.create(
        endpoint=before.endpoint,
        number=1,
        model_version=version,
        base_version=base,
        strategy=Rollout.Strategy.CANARY,
        steps=[],
        conditions={},
        state="stopped",
        detail="A person stopped it.",
        actor_name="tests",
        before=before,
        ended_at=timezone.now(),
    )


def _serve(deployment: Deployment) -> None:
    """As the reconciler would."""
    for before in Deployment.objects.filter(endpoint=deployment.endpoint, state="live"):
        assert transitions.supersede(before)
    assert transitions.start(deployment)
    assert transitions.go_live(deployment)

"""The deployments that a rollout asks for, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.endpoints import services as endpoints
from models.endpoints.deploying import TargetRequest, without_lost_pins
from models.endpoints.models import Deployment, DeploymentTarget
from models.rollouts.models import Rollout
from models.rollouts.plan import STANDBY, Share, Step, Strategy, shares_of
from modelwright.accounts.actors import Actor

CONTROLLER = Actor.system("rollout controller")
ANSWERING = (DeploymentTarget.Role.LIVE, DeploymentTarget.Role.CANARY)


def answering_targets(deployment: Deployment) -> list[DeploymentTarget]:
    """The targets that clients' requests go to by weight."""
    return [each for each in deployment.targets.all() if each.role in ANSWERING and each.weight]


def steps_of(rollout: Rollout) -> list[Step]:
    """Its steps."""
    return [Step(**each) for each in rollout.steps]


def stand_by(rollout: Rollout) -> Deployment:
    """Ask for replicas of the candidate beside what serves. Nobody's requests go to them."""
    return _ask(rollout, STANDBY, "the new version starts beside what serves", {})


def take_step(rollout: Rollout, number: int, evidence: Mapping[str, Any]) -> Deployment:
    """Ask for the weights of the step, counted from 0."""
    steps = steps_of(rollout)
    shares = shares_of(Strategy(rollout.strategy), steps[number].weight)
    return _ask(rollout, shares, f"step {number + 1} of {len(steps)}, {_words(rollout, steps[number])}", evidence)


def promote(rollout: Rollout, evidence: Mapping[str, Any]) -> Deployment:
    """Ask for the candidate alone."""
    return _ask(rollout, (Share(True, 100, "live"),), "the new version answers alone", evidence)


def end_as_before(rollout: Rollout, evidence: Mapping[str, Any], *, reason: str) -> Deployment:
    """Ask for what served before, since the rollout is over as planned."""
    before = rollout.before
    targets = [
        TargetRequest(each.model_version, each.weight, each.role)
        for each in before.targets.select_related("model_version__model")
    ]
    return endpoints.request_deployment(
        rollout.endpoint,
        targets=targets,
        routing=without_lost_pins(rollout.endpoint, before.routing, targets),
        fallback=before.fallback,
        evidence=evidence,
        rollout_id=rollout.pk,
        kind=Deployment.Kind.STEP,
        reason=reason,
        acting_user=CONTROLLER,
    )


def go_back(rollout: Rollout, evidence: Mapping[str, Any], *, reason: str, acting_user: Actor) -> Deployment:
    """Ask for what served before, as a rollback."""
    return endpoints.rollback(
        rollout.endpoint,
        to=rollout.before,
        reason=reason,
        evidence=evidence,
        rollout_id=rollout.pk,
        acting_user=acting_user,
    )


def _words(rollout: Rollout, step: Step) -> str:
    if rollout.strategy == Strategy.SHADOW:
        return "requests are shadowed"
    return f"{step.weight} % of the requests"


def _ask(rollout: Rollout, shares: Sequence[Share], what: str, evidence: Mapping[str, Any]) -> Deployment:
    versions = {True: rollout.model_version, False: rollout.base_version}
    targets = [TargetRequest(versions[each.is_candidate], each.weight, each.role) for each in shares]
    targets += [
        TargetRequest(each.model_version, each.weight, each.role)
        for each in rollout.before.targets.select_related("model_version__model")
        if each.role == DeploymentTarget.Role.FALLBACK
    ]
    routing = without_lost_pins(rollout.endpoint, rollout.before.routing, targets)
    if rollout.assign and len(shares) > 1:
        routing["assign"] = rollout.assign
    return endpoints.request_deployment(
        rollout.endpoint,
        targets=targets,
        routing=routing,
        fallback=rollout.before.fallback,
        evidence=dict(evidence),
        rollout_id=rollout.pk,
        kind=Deployment.Kind.STEP,
        reason=f"Rollout {rollout.number} by {rollout.actor_name}: {what}.",
        acting_user=CONTROLLER,
    )

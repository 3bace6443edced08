"""Who is answered by which version of what serves, and what answers when it fails; the versions stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from models.endpoints.deploying import WEIGHTED, TargetRequest
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.endpoints.selectors import live_deployment, under_way
from models.endpoints.services import request_deployment
from models.gateway.fallbacks import RULE, VERSION
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import Conflict, ValidationFailed
from projects.manifest import parse_fallback_rule
from projects.selectors import authorize

Role = DeploymentTarget.Role


def is_rollouts(deployment: Deployment) -> bool:
    """Whether a rollout that has not ended says who is answered by which of its versions."""
    roles = {target.role for target in deployment.targets.all()}
    return deployment.kind == Deployment.Kind.STEP and not roles <= {Role.LIVE, Role.FALLBACK}


def steered(endpoint: Endpoint) -> Deployment:
    """The deployment whose routing and fallback may be changed: the one on its way, else the live one.

    Raises Conflict where there is none, and while a rollout decides on both.
    """
    found = under_way(endpoint) or live_deployment(endpoint)
    if found is None:
        raise Conflict(
            f"{endpoint.name} serves nothing, so there is nothing to route.", remedy="Deploy a version first."
        )
    if is_rollouts(found):
        raise Conflict(
            f"A version is being rolled out on {endpoint.name}, and its rollout says who is answered by which version.",
            remedy="Wait until the rollout has ended, or stop it on the endpoint's page.",
        )
    return found


def rule_of(text: str) -> dict[str, Any]:
    """The fallback that is a rule, from what would stand in the project's file. Raises ValidationFailed."""
    if not text.strip():
        raise ValidationFailed(
            "There is no rule.", remedy="Write it as in modelwright.yaml, or choose another fallback.", field="rule"
        )
    try:
        return {"kind": RULE, "rule": parse_fallback_rule(text)}
    except ValidationFailed as error:
        raise ValidationFailed(error.message, remedy=error.remedy, field="rule") from None


@transaction.atomic
def steer(
    endpoint: Endpoint,
    *,
    seen: UUID,
    routing: Mapping[str, Any],
    fallback: Mapping[str, Any] | None,
    stand_in: ModelVersion | None = None,
    reason: str,
    acting_user: Actor,
) -> Deployment:
    """Ask for what serves to be served with this routing and fallback. `seen` is the deployment that the person saw;
    `stand_in` the version that answers where the fallback is one.

    Raises PermissionRefused, ValidationFailed, Conflict where something else was asked for meanwhile.
    """
    authorize(acting_user, Permission.ENDPOINT_DEPLOY, endpoint.project)
    if not reason.strip():
        raise ValidationFailed("A change of the routing needs a reason.", remedy="Say why.", field="reason")
    # What is asked for next waits for this row, so that nothing comes between what is looked at and what is written.
    Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    base = steered(endpoint)
    if base.pk != seen:
        raise Conflict(
            f"Deployment {base.number} was asked for meanwhile, and its versions may be others.",
            remedy="Open this page again, and look at what it shows now.",
        )
    targets = [
        TargetRequest(target.model_version, target.weight, target.role)
        for target in base.targets.all()
        if target.role != Role.FALLBACK
    ]
    if fallback and fallback.get("kind") == VERSION:
        if stand_in is None:
            raise ValidationFailed("No version stands in.", remedy="Choose one, or another fallback.", field="stand_in")
        targets.append(TargetRequest(stand_in, 0, Role.FALLBACK))
    return request_deployment(
        endpoint,
        targets=targets,
        routing=routing,
        fallback=fallback,
        graph=base.graph,
        evidence=base.evidence if base.graph else None,
        reason=reason,
        acting_user=acting_user,
    )


def answering_targets(deployment: Deployment) -> list[DeploymentTarget]:
    """The targets that requests may be sent to."""
    return [target for target in deployment.targets.all() if target.role in WEIGHTED]

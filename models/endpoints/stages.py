"""The stage of an endpoint: which versions may answer there, and when it may change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet

from models.approvals.gates import require_approved, require_once_approved
from models.endpoints.deploying import TargetRequest
from models.endpoints.logic import leave_production, require_agreed
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.core.errors import Conflict, ValidationFailed

Stage = Endpoint.Stage
_ORDER = [Stage.LAB, Stage.STAGING, Stage.PRODUCTION]


def require_allowed(
    endpoint: Endpoint,
    targets: Iterable[TargetRequest],
    *,
    graph: Mapping[str, Any] | None = None,
    fallback: Mapping[str, Any] | None = None,
) -> None:
    """Raise Conflict, with what is missing, unless each version that is to answer clients is approved for the stage,
    and in production a second person agreed to the graph and the rule that decide there.

    A shadow's answers reach nobody, so it needs no approval.
    """
    stage = Endpoint.objects.values_list("stage", flat=True).get(pk=endpoint.pk)
    answering = [each.model_version for each in targets if each.role != DeploymentTarget.Role.SHADOW]
    require_approved(answering, stage)
    if stage == Stage.PRODUCTION:
        require_agreed(endpoint, graph, fallback)


def require_served_rightly(
    locked: Endpoint, to: Deployment, targets: Iterable[DeploymentTarget], *, is_emergency: bool = False
) -> None:
    """Raise Conflict where going back to the deployment would bring to production what never was approved for it. The
    endpoint is locked, so that its stage stays.

    What served here at its stage was approved then, so this holds up nothing but a way around the approval: what
    served before the endpoint was raised. In an emergency it is enough that the deployment was one of production.
    """
    if is_emergency and (locked.stage != Stage.PRODUCTION or to.stage == Stage.PRODUCTION):
        return
    answering = [target.model_version for target in targets if target.role != DeploymentTarget.Role.SHADOW]
    require_once_approved(answering, locked.stage)
    if locked.stage == Stage.PRODUCTION:
        require_agreed(locked, to.graph, to.fallback, goes_back=True)


def check_change(endpoint: Endpoint, to: str, *, reason: str, acting_user: Actor) -> None:
    """Whether the endpoint's stage may become `to`.

    Raises ValidationFailed for another word, and where it leaves production without a reason; Conflict where it does so
    without a second person, and where what serves now, or is on its way, is not approved for a higher stage.
    """
    if to not in Stage.values:
        raise ValidationFailed(
            f"There is no stage {to[:60]!r}.", remedy=f"Give one of {', '.join(Stage.values)}.", field="stage"
        )
    if _ORDER.index(Stage(to)) > _ORDER.index(Stage(endpoint.stage)):
        try:
            require_approved(_serving(endpoint), to)
            if to == Stage.PRODUCTION:
                for graph, fallback in _active(endpoint).values_list("graph", "fallback"):
                    require_agreed(endpoint, graph, fallback)
        except Conflict as error:
            raise Conflict(
                f"{endpoint.name} cannot become an endpoint of {to} yet. {error.message}",
                remedy=error.remedy,
                field="stage",
            ) from None
    elif endpoint.stage == Stage.PRODUCTION:
        if not reason.strip():
            raise ValidationFailed(
                "To take an endpoint out of production needs a reason.",
                remedy="Say in a sentence why; it stands in the audit log.",
                field="reason",
            )
        leave_production(endpoint, to, acting_user=acting_user)


def _active(endpoint: Endpoint) -> QuerySet[Deployment]:
    found: QuerySet[Deployment] = Deployment.objects.filter(
        endpoint=endpoint, state__in=("pending", "starting", "live")
    )
    return found


def _serving(endpoint: Endpoint) -> list[ModelVersion]:
    targets = DeploymentTarget.objects.filter(deployment__in=_active(endpoint)).exclude(
        role=DeploymentTarget.Role.SHADOW
    )
    rows = targets.select_related("model_version__model__project")
    return list({target.model_version_id: target.model_version for target in rows}.values())

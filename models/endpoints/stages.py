"""The stage of an endpoint: which versions may answer there, and when it may change."""

from __future__ import annotations

from collections.abc import Iterable

from models.approvals.gates import require_approved, require_once_approved
from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.registry.models import ModelVersion
from modelwright.core.errors import Conflict, ValidationFailed

Stage = Endpoint.Stage
_ORDER = [Stage.LAB, Stage.STAGING, Stage.PRODUCTION]


def require_allowed(endpoint: Endpoint, targets: Iterable[TargetRequest]) -> None:
    """Raise Conflict, with what is missing, unless each version that is to answer clients is approved for the stage.

    A shadow's answers reach nobody, so it needs no approval.
    """
    stage = Endpoint.objects.values_list("stage", flat=True).get(pk=endpoint.pk)
    answering = [each.model_version for each in targets if each.role != DeploymentTarget.Role.SHADOW]
    require_approved(answering, stage)


def require_served_rightly(endpoint: Endpoint, to: Deployment) -> None:
    """Raise Conflict where going back to the deployment would bring a version that never was approved for the stage.

    What served here at its stage was approved then, so this holds up nothing but a way around the approval: a version
    that served before the endpoint was raised.
    """
    stage = Endpoint.objects.values_list("stage", flat=True).get(pk=endpoint.pk)
    targets = to.targets.exclude(role=DeploymentTarget.Role.SHADOW).select_related("model_version__model")
    require_once_approved([target.model_version for target in targets], stage)


def check_change(endpoint: Endpoint, to: str, *, reason: str) -> None:
    """Whether the endpoint's stage may become `to`.

    Raises ValidationFailed for another word, and where it leaves production without a reason; Conflict where what
    serves now, or is on its way, is not approved for a higher stage.
    """
    if to not in Stage.values:
        raise ValidationFailed(
            f"There is no stage {to[:60]!r}.", remedy=f"Give one of {', '.join(Stage.values)}.", field="stage"
        )
    if _ORDER.index(Stage(to)) > _ORDER.index(Stage(endpoint.stage)):
        try:
            require_approved(_serving(endpoint), to)
        except Conflict as error:
            raise Conflict(
                f"{endpoint.name} cannot become an endpoint of {to} yet. {error.message}",
                remedy=error.remedy,
                field="stage",
            ) from None
    elif endpoint.stage == Stage.PRODUCTION and not reason.strip():
        raise ValidationFailed(
            "To take an endpoint out of production needs a reason.",
            remedy="Say in a sentence why; it stands in the audit log.",
            field="reason",
        )


def _serving(endpoint: Endpoint) -> list[ModelVersion]:
    active = Deployment.objects.filter(endpoint=endpoint, state__in=("pending", "starting", "live"))
    targets = DeploymentTarget.objects.filter(deployment__in=active).exclude(role=DeploymentTarget.Role.SHADOW)
    rows = targets.select_related("model_version__model__project")
    return list({target.model_version_id: target.model_version for target in rows}.values())

"""The gate that a deployment passes: whether versions may answer at an endpoint of a stage."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from models.approvals.models import Promotion
from models.approvals.selectors import lacking, standing
from models.approvals.stages import Stage, remedy_for, words_of
from models.registry.models import ModelVersion
from modelwright.core.errors import Conflict


def require_approved(versions: Iterable[ModelVersion], stage: str) -> None:
    """Raise Conflict, which says what is missing and where to get it, unless each version is approved for the stage.

    What is approved for production may answer in staging too; in the lab everything may. The approvals stay until the
    caller's transaction ends: whoever takes one back meanwhile waits.
    """
    if stage == Stage.LAB:
        return
    wanted = list(versions)
    held = _approvals(wanted, stage).select_for_update(of=("self",), no_key=True).order_by("pk")
    approved = set(held.values_list("version_id", flat=True))
    for version in wanted:
        if version.pk not in approved:
            raise _refusal(version, stage)


def approved_of(versions: Iterable[ModelVersion], stage: str) -> set[UUID]:
    """The ids of those that `require_approved` lets pass, where the stage is staging or production."""
    return set(_approvals(versions, stage).values_list("version_id", flat=True))


def _approvals(versions: Iterable[ModelVersion], stage: str) -> QuerySet[Promotion]:
    stages = [Stage.STAGING, Stage.PRODUCTION] if stage == Stage.STAGING else [Stage(stage)]
    ids = [version.pk for version in versions]
    return Promotion.objects.filter(version__in=ids, stage__in=stages, state="approved")


def require_once_approved(versions: Iterable[ModelVersion], stage: str) -> None:
    """Raise Conflict for a version that never was approved for the stage; one whose approval was taken back passes.

    For what goes back to what served already, which must not wait for anybody.
    """
    if stage == Stage.LAB:
        return
    wanted = list(versions)
    stages = [Stage.STAGING, Stage.PRODUCTION] if stage == Stage.STAGING else [Stage.PRODUCTION]
    approved = Promotion.objects.filter(version__in=wanted, stage__in=stages, state__in=("approved", "revoked"))
    once = set(approved.values_list("version_id", flat=True))
    for version in wanted:
        if version.pk not in once:
            raise Conflict(
                f"{version} never was approved for {stage}: it served when the endpoint was at a lower stage.",
                remedy="Go back to another one, have it approved, or roll back as an emergency: the audit log says so.",
                field="to",
            )


def _refusal(version: ModelVersion, stage: str) -> Conflict:
    missing = lacking(standing(version, stage))
    said = f"{version} is not approved for {stage}, and the endpoint is one of {stage}."
    if missing:
        said += f" Not passed yet: {', '.join(words_of(kind) for kind in missing)}."
    if Promotion.objects.filter(version=version, stage=stage, state="requested").exists():
        then = "Its approval is asked for: have a second person decide."
    else:
        then = f"Then ask for its approval at /model-versions/{version.pk}/approval/."
    steps = [*(remedy_for(kind) for kind in missing), then]
    return Conflict(said, remedy=" ".join(steps), field="model_version")

"""What is known of a version's way to production, and what a person may see of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from models.approvals.models import ApprovalPolicy, Check, ModelCard, Promotion, VersionTest
from models.approvals.stages import DEFAULT_NEEDED, REPLAY, STAGING_FIRST, Stage
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.models import Project
from projects.selectors import require_project, visible_projects


def policy_of(project: Project) -> ApprovalPolicy:
    """The project's policy; an unsaved one with the defaults where it has none."""
    found: ApprovalPolicy | None = ApprovalPolicy.objects.filter(project=project).first()
    return found or ApprovalPolicy(
        project=project,
        staging=DEFAULT_NEEDED[Stage.STAGING],
        production=DEFAULT_NEEDED[Stage.PRODUCTION],
        revision=0,
    )


def needed_for(project: Project, stage: str) -> list[str]:
    """The kinds of checks that a version of the project needs for the stage."""
    policy = policy_of(project)
    return {Stage.STAGING: list(policy.staging), Stage.PRODUCTION: list(policy.production)}.get(Stage(stage), [])


def newest_checks(version: ModelVersion) -> dict[str, Check]:
    """The check of each kind that counts: the newest; of replays, see `replay_check`."""
    rows = Check.objects.filter(version=version).order_by("kind", "-id").distinct("kind")
    found = {check.kind: check for check in rows}
    if REPLAY in found:
        if (counted := replay_check(version)) is not None:
            found[REPLAY] = counted
        else:
            del found[REPLAY]
    return found


def replay_check(version: ModelVersion) -> Check | None:
    """The replay that counts: of the newest at each endpoint, one that failed where any did, else the newest of them.

    So nobody gets rid of a failure by a replay at an endpoint of their own. Once a version of the model was replayed at
    an endpoint of staging or production, replays in the lab count no more; None where there is no other.
    """
    staged = {"kind": REPLAY, "evidence__stage__in": [Stage.STAGING, Stage.PRODUCTION]}
    rows = Check.objects.filter(version=version, kind=REPLAY)
    if Check.objects.filter(version__model=version.model_id, **staged).exists():
        rows = rows.filter(**staged)
    by_endpoint: dict[str, Check] = {}
    for check in rows.order_by("-id"):
        by_endpoint.setdefault(str(check.evidence.get("endpoint", "")), check)
    counted = list(by_endpoint.values())
    failed = [check for check in counted if check.outcome != Check.Outcome.PASSED]
    return next(iter(failed or counted), None)


def standing(version: ModelVersion, stage: str) -> list[dict[str, Any]]:
    """What the version needs for the stage, and how each stands: see `Promotion.checks`."""
    checks = newest_checks(version)
    return [_stands(version, kind, checks.get(kind)) for kind in needed_for(version.model.project, stage)]


def _stands(version: ModelVersion, kind: str, check: Check | None) -> dict[str, Any]:
    if kind == STAGING_FIRST:
        promotion = approval_of(version, Stage.STAGING)
        outcome = "passed" if promotion else None
        at = promotion.decided_at if promotion else None
        return {"kind": kind, "outcome": outcome, "detail": "", "check_id": None, "at": at.isoformat() if at else None}
    if check is None:
        return {"kind": kind, "outcome": None, "detail": "", "check_id": None, "at": None}
    return {
        "kind": kind,
        "outcome": check.outcome,
        "detail": check.detail[:1000],
        "check_id": str(check.pk),
        "at": check.created_at.isoformat(),
    }


def lacking(stands: list[dict[str, Any]]) -> list[str]:
    """The kinds that are not passed, of what `standing` told."""
    return [each["kind"] for each in stands if each["outcome"] != Check.Outcome.PASSED]


def approval_of(version: ModelVersion, stage: str) -> Promotion | None:
    """The newest approval that holds for the stage. What may answer in production may answer in staging, too."""
    stages = [Stage.STAGING, Stage.PRODUCTION] if stage == Stage.STAGING else [Stage(stage)]
    found = Promotion.objects.filter(version=version, stage__in=stages, state="approved")
    newest: Promotion | None = found.order_by("-decided_at", "-id").first()
    return newest


def checks_of(version: ModelVersion) -> QuerySet[Check]:
    """Every check of the version, newest first. The caller has required PROJECT_VIEW."""
    return Check.objects.filter(version=version).order_by("-id")


def cards_of(version: ModelVersion) -> QuerySet[ModelCard]:
    """Every revision of the version's card, newest first. The caller has required PROJECT_VIEW."""
    return ModelCard.objects.filter(version=version).order_by("-number")


def tests_of(version: ModelVersion) -> QuerySet[VersionTest]:
    """The test runs of the version, newest first. The caller has required PROJECT_VIEW."""
    return VersionTest.objects.filter(version=version).select_related("run__workload").order_by("-id")


def promotions(viewer: User) -> QuerySet[Promotion]:
    """Promotions of all projects that the person may see, newest first."""
    rows = Promotion.objects.select_related("version__model__project__workspace", "requester", "author", "approver")
    visible = visible_projects(viewer).order_by().values("pk")
    return rows.filter(version__model__project__in=visible).order_by("-id")


def get_promotion(viewer: User, promotion_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Promotion:
    """A promotion in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    found = promotions(viewer).filter(pk=promotion_id).first()
    if found is None:
        raise NotFound(
            "There is no such promotion, or it is not yours to see.", remedy="Open it from the list of approvals."
        )
    require_project(viewer, permission, found.version.model.project)
    return found


def serving_stage(model: RegisteredModel, stage: str) -> Promotion | None:
    """The approval of what the stage's alias points to: the newest of the model that holds."""
    found = Promotion.objects.filter(version__model=model, stage=stage, state="approved").select_related("version")
    newest: Promotion | None = found.order_by("-decided_at", "-id").first()
    return newest

"""Writes to promotions: asked for, approved by a second person, refused, withdrawn, taken back."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from models.approvals import transitions
from models.approvals.authors import author_of
from models.approvals.deciding import require_may_take_back
from models.approvals.models import Promotion
from models.approvals.selectors import lacking, serving_stage, standing
from models.approvals.stages import Stage, remedy_for, words_of
from models.registry.models import ModelVersion, RegisteredModel
from models.registry.services import audit, set_stage
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed
from projects.selectors import authorize

MAX_REASON = 2000


@transaction.atomic
def request_promotion(version: ModelVersion, *, stage: str, reason: str = "", acting_user: Actor) -> Promotion:
    """Ask that the version be approved for the stage.

    For lab and staging nobody else is needed: with all checks passed it is approved at once. For production a second
    person decides. Raises PermissionRefused, ValidationFailed; Conflict where it is asked for or approved already.
    """
    project = version.model.project
    role = authorize(acting_user, Permission.MODEL_EDIT, project)
    if stage not in Stage.values:
        raise ValidationFailed(
            f"There is no stage {stage[:60]!r}.", remedy=f"Give one of {', '.join(Stage.values)}.", field="stage"
        )
    if stage == Stage.PRODUCTION:
        acting_user.require_user()
    _check_may_be_asked(version, stage)
    stands = standing(version, stage)
    promotion = Promotion(
        version=version,
        stage=stage,
        requester=acting_user.user,
        requester_name=acting_user.name[:100],
        author=author_of(version),
        reason=reason.strip()[:MAX_REASON],
        checks=stands,
    )
    try:
        with transaction.atomic():
            promotion.save(force_insert=True)
    except IntegrityError:
        raise _asked_already(version, stage) from None
    _record(promotion, AuditAction.PROMOTION_REQUESTED, acting_user, role, stands, reason=promotion.reason)
    if stage != Stage.PRODUCTION and not lacking(stands):
        _approve(promotion, acting_user, role, stands, decision="", is_override=False)
    promotion.refresh_from_db()
    return promotion


def _check_may_be_asked(version: ModelVersion, stage: str) -> None:
    if version.state != "ready":
        raise Conflict(
            f"{version} is {version.get_state_display().lower()}, not ready.",
            remedy="Wait until it is ready, or choose another version.",
        )
    if Promotion.objects.filter(version=version, stage=stage, state="approved").exists():
        raise Conflict(f"{version} is approved for {stage} already.", remedy="See the version's approval page.")
    if Promotion.objects.filter(version=version, stage=stage, state="requested").exists():
        raise _asked_already(version, stage)


def _asked_already(version: ModelVersion, stage: str) -> Conflict:
    return Conflict(
        f"Somebody has asked already that {version} be approved for {stage}.",
        remedy="Have that decided, or withdrawn, first.",
    )


@transaction.atomic
def approve(promotion: Promotion, *, reason: str = "", override: bool = False, acting_user: Actor) -> Promotion:
    """Let the version answer at the stage, and point the stage's alias to it.

    Needs MODEL_APPROVE; for production neither the one who asked nor the one who made the version may. Where needed
    checks are missing it takes `override` and a reason. Raises PermissionRefused, ValidationFailed, Conflict.
    """
    promotion = _locked(promotion)
    role = authorize(acting_user, Permission.MODEL_APPROVE, promotion.version.model.project)
    _require_requested(promotion)
    if promotion.stage == Stage.PRODUCTION:
        _require_second_person(promotion, acting_user)
    stands = standing(promotion.version, promotion.stage)
    missing = lacking(stands)
    if missing and not override:
        raise missing_checks(promotion.version, promotion.stage, missing)
    if missing and not reason.strip():
        raise ValidationFailed(
            "To approve it without its checks needs a reason.",
            remedy="Say in a sentence why it cannot wait; it stands in the audit log.",
            field="reason",
        )
    _approve(promotion, acting_user, role, stands, decision=reason.strip()[:MAX_REASON], is_override=bool(missing))
    promotion.refresh_from_db()
    return promotion


def missing_checks(version: ModelVersion, stage: str, missing: list[str]) -> Conflict:
    """The error that names what is missing and where it is to be had."""
    names = ", ".join(words_of(kind) for kind in missing)
    return Conflict(
        f"{version} has not passed what {stage} needs: {names}.",
        remedy=" ".join(remedy_for(kind) for kind in missing),
    )


def _require_second_person(promotion: Promotion, acting_user: Actor) -> None:
    person = acting_user.require_user()
    if person.pk == promotion.requester_id:
        raise PermissionRefused(
            "You have asked for this approval yourself; production takes a second person.",
            remedy="Have another contributor or administrator of the project approve it.",
        )
    maker = author_of(promotion.version)
    if maker is None:
        raise PermissionRefused(
            f"Nobody knows who made {promotion.version}, so nobody can be told to be the second person.",
            remedy="Register it again: from a run of the project, or with somebody's own token.",
        )
    if person.pk in (promotion.author_id, maker.pk, promotion.version.registered_by_id):
        raise PermissionRefused(
            "You made or registered this version; production takes a second person.",
            remedy="Have another contributor or administrator of the project approve it.",
        )


def _approve(
    promotion: Promotion, acting_user: Actor, role: str, stands: list[Any], *, decision: str, is_override: bool
) -> None:
    _lock_model(promotion)
    try:
        with transaction.atomic():
            moved = transitions.approve(
                promotion,
                approver=acting_user.user,
                name=acting_user.name[:100],
                decision=decision,
                checks=stands,
                is_override=is_override,
            )
    except IntegrityError as error:
        raise PermissionRefused(
            f"The database refuses this approval: {str(error).splitlines()[0]}.",
            remedy="Have somebody else approve it who neither asked for it nor made the version.",
        ) from None
    if not moved:
        raise _decided_already()
    action = AuditAction.PROMOTION_OVERRIDDEN if is_override else AuditAction.PROMOTION_APPROVED
    _record(promotion, action, acting_user, role, stands, reason=decision)
    version = promotion.version
    set_stage(version.model, stage=promotion.stage, version=version, acting_user=acting_user)


@transaction.atomic
def refuse(promotion: Promotion, *, reason: str, acting_user: Actor) -> Promotion:
    """Decide against it, with a reason. Needs MODEL_APPROVE. Raises PermissionRefused, ValidationFailed, Conflict."""
    promotion = _locked(promotion)
    role = authorize(acting_user, Permission.MODEL_APPROVE, promotion.version.model.project)
    _require_requested(promotion)
    decision = _needed(reason, "A refusal needs a reason.", "Say what must be different.")
    stands = standing(promotion.version, promotion.stage)
    if not transitions.refuse(promotion, name=acting_user.name[:100], decision=decision, checks=stands):
        raise _decided_already()
    _record(promotion, AuditAction.PROMOTION_REFUSED, acting_user, role, stands, reason=decision)
    promotion.refresh_from_db()
    return promotion


@transaction.atomic
def withdraw(promotion: Promotion, *, reason: str = "", acting_user: Actor) -> Promotion:
    """Take the wish back: whoever may ask for it. Raises PermissionRefused, Conflict."""
    promotion = _locked(promotion)
    role = authorize(acting_user, Permission.MODEL_EDIT, promotion.version.model.project)
    _require_requested(promotion)
    decision = reason.strip()[:MAX_REASON]
    if not transitions.withdraw(promotion, name=acting_user.name[:100], decision=decision):
        raise _decided_already()
    _record(promotion, AuditAction.PROMOTION_WITHDRAWN, acting_user, role, [], reason=decision)
    promotion.refresh_from_db()
    return promotion


@transaction.atomic
def revoke(promotion: Promotion, *, reason: str, acting_user: Actor) -> Promotion:
    """Take an approval back, with a reason. The alias goes to what was approved before; what serves goes on.

    For whoever gave it, and administrators of the project. Raises PermissionRefused, ValidationFailed, Conflict.
    """
    promotion = _locked(promotion)
    model = promotion.version.model
    role = require_may_take_back(acting_user, promotion.approver_id, model.project)
    why = _needed(reason, "To take an approval back needs a reason.", "Say what was found.")
    _lock_model(promotion)
    if not transitions.revoke(promotion, name=acting_user.name[:100], reason=why):
        raise Conflict(
            f"This promotion is {promotion.get_state_display().lower()}, so there is nothing to take back.",
            remedy="Reload the page to see its state.",
        )
    _record(promotion, AuditAction.PROMOTION_REVOKED, acting_user, role, [], reason=why)
    before = serving_stage(model, promotion.stage)
    set_stage(model, stage=promotion.stage, version=before.version if before else None, acting_user=acting_user)
    promotion.refresh_from_db()
    return promotion


def _locked(promotion: Promotion) -> Promotion:
    rows = Promotion.objects.select_for_update(of=("self",)).select_related("version__model__project__workspace")
    locked: Promotion = rows.get(pk=promotion.pk)
    return locked


def _lock_model(promotion: Promotion) -> None:
    """Of what decides about the stages of a model, one after another: the alias is that of the newest approval."""
    RegisteredModel.objects.select_for_update().get(pk=promotion.version.model_id)


def _require_requested(promotion: Promotion) -> None:
    if promotion.state != "requested":
        raise _decided_already()


def _decided_already() -> Conflict:
    return Conflict("This promotion is decided already.", remedy="Reload the page to see what was decided.")


def _needed(reason: str, message: str, remedy: str) -> str:
    if not reason.strip():
        raise ValidationFailed(message, remedy=remedy, field="reason")
    return reason.strip()[:MAX_REASON]


def promotion_target(promotion: Promotion) -> Target:
    """The promotion as an audit row names it."""
    return Target("promotion", promotion.pk, str(promotion))


def _record(
    promotion: Promotion, action: AuditAction, acting_user: Actor, role: str, stands: list[Any], *, reason: str
) -> None:
    after: dict[str, Any] = {
        "version": str(promotion.version),
        "stage": promotion.stage,
        "requester": promotion.requester_name,
        "maker": promotion.author.username if promotion.author else None,
    }
    if stands:
        after |= {"checks": {each["kind"]: each["outcome"] for each in stands}, "missing": lacking(stands)}
    audit(
        action,
        promotion_target(promotion),
        promotion.version.model.project,
        acting_user=acting_user,
        role=role,
        after=after,
        reason=reason,
    )

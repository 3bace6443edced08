"""A second person's consent to what decides at an endpoint of production and is no model, and to the end of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from models.approvals import transitions
from models.approvals.deciding import require_may_take_back
from models.approvals.models import Consent
from models.approvals.promotions import MAX_REASON
from models.registry.services import audit
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed
from projects.models import Project
from projects.selectors import authorize

Kind = Consent.Kind
GIVE, REFUSE, WITHDRAW = "give", "refuse", "withdraw"
DECISIONS = (GIVE, REFUSE, WITHDRAW)
# Who may ask for what.
MAY_ASK = {
    Kind.GRAPH: Permission.ENDPOINT_DEPLOY,
    Kind.RULE: Permission.ENDPOINT_DEPLOY,
    Kind.STAGE: Permission.ENDPOINT_MANAGE,
}
_OUTCOMES = {
    GIVE: ("given", AuditAction.CONSENT_GIVEN),
    REFUSE: ("refused", AuditAction.CONSENT_REFUSED),
    WITHDRAW: ("withdrawn", AuditAction.CONSENT_WITHDRAWN),
}


def digest_of(content: Mapping[str, Any]) -> str:
    """The same for the same content, however its entries are ordered."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def is_given(endpoint_id: UUID, kind: str, content: Mapping[str, Any]) -> bool:
    """Whether somebody agreed to exactly this at the endpoint, and it is neither used up nor taken back.

    It stays so until the transaction ends: whoever takes it back meanwhile waits, and what is deployed was agreed to.
    """
    found = _of(endpoint_id, kind, content).select_for_update().filter(state="given")
    return found.first() is not None


def is_taken_back(endpoint_id: UUID, kind: str, content: Mapping[str, Any]) -> bool:
    """Whether somebody agreed to exactly this at the endpoint once, and it was taken back."""
    return _of(endpoint_id, kind, content).filter(state="revoked").exists()


def _of(endpoint_id: UUID, kind: str, content: Mapping[str, Any]) -> QuerySet[Consent]:
    return Consent.objects.filter(endpoint_id=endpoint_id, kind=kind, digest=digest_of(content))


@transaction.atomic
def request_consent(
    project: Project,
    *,
    endpoint_id: UUID,
    endpoint_name: str,
    kind: str,
    content: Mapping[str, Any],
    reason: str,
    acting_user: Actor,
) -> Consent:
    """Ask a second person to agree. Raises PermissionRefused, ValidationFailed; Conflict where it is asked or given."""
    role = authorize(acting_user, MAY_ASK[Kind(kind)], project)
    person = acting_user.require_user()
    if not reason.strip():
        raise ValidationFailed(
            "Whoever decides must know why.", remedy="Say in a sentence what is better about it.", field="reason"
        )
    if is_given(endpoint_id, kind, content):
        raise Conflict("Somebody has agreed to exactly this already.", remedy="Go on: nothing more is needed.")
    consent = Consent(
        project=project,
        endpoint_id=endpoint_id,
        endpoint_name=endpoint_name,
        kind=kind,
        digest=digest_of(content),
        content=dict(content),
        requester=person,
        requester_name=acting_user.name[:100],
        reason=reason.strip()[:MAX_REASON],
    )
    try:
        with transaction.atomic():
            consent.save(force_insert=True)
    except IntegrityError:
        raise Conflict(
            "Consent to exactly this is asked for already.", remedy="Have that decided, or withdrawn, first."
        ) from None
    _record(consent, AuditAction.CONSENT_REQUESTED, acting_user, role, consent.reason)
    return consent


@transaction.atomic
def decide(consent: Consent, *, decision: str, reason: str = "", acting_user: Actor) -> Consent:
    """Agree, refuse (with a reason) or withdraw. It takes MODEL_APPROVE, and to agree a person who has not asked for
    it. Raises PermissionRefused, ValidationFailed, Conflict."""
    if decision not in DECISIONS:
        raise ValidationFailed(
            f"{decision[:60]!r} is no decision.", remedy=f"Give one of {', '.join(DECISIONS)}.", field="decision"
        )
    role = authorize(acting_user, Permission.MODEL_APPROVE, consent.project)
    if decision == GIVE and acting_user.require_user().pk == consent.requester_id:
        raise PermissionRefused(
            "You have asked for this yourself; production takes a second person.",
            remedy="Have another contributor or administrator of the project decide it.",
        )
    if decision == REFUSE and not reason.strip():
        raise ValidationFailed("A refusal needs a reason.", remedy="Say what must be different.", field="reason")
    to, action = _OUTCOMES[decision]
    moved = transitions.decide_consent(
        consent,
        to,
        approver=acting_user.user if decision == GIVE else None,
        name=acting_user.name[:100],
        decision=reason.strip()[:MAX_REASON],
    )
    if not moved:
        raise Conflict("This is decided already.", remedy="Reload the page to see what was decided.")
    consent.refresh_from_db()
    _record(consent, action, acting_user, role, consent.decision)
    return consent


@transaction.atomic
def revoke(consent: Consent, *, reason: str, acting_user: Actor) -> Consent:
    """Take back what was given, with a reason: nothing is deployed by it any more, and what serves goes on.

    For whoever gave it, and administrators of the project. Raises PermissionRefused, ValidationFailed; Conflict where
    it is not given, or was used.
    """
    role = require_may_take_back(acting_user, consent.approver_id, consent.project)
    if not reason.strip():
        raise ValidationFailed("To take a consent back needs a reason.", remedy="Say what was found.", field="reason")
    if not transitions.revoke_consent(consent, name=acting_user.name[:100], reason=reason.strip()[:MAX_REASON]):
        consent.refresh_from_db()
        raise Conflict(
            f"This consent is {consent.get_state_display().lower()}, so there is nothing to take back.",
            remedy="Reload the page to see its state.",
        )
    consent.refresh_from_db()
    _record(consent, AuditAction.CONSENT_REVOKED, acting_user, role, consent.revocation)
    return consent


@transaction.atomic
def use(endpoint_id: UUID, kind: str, content: Mapping[str, Any], *, acting_user: Actor) -> bool:
    """Use a consent up that allows to do this once. False where there is none."""
    found = _of(endpoint_id, kind, content).filter(state="given")
    consent = found.select_related("project").order_by("pk").first()
    if consent is None or not transitions.use_consent(consent):
        return False
    _record(consent, AuditAction.CONSENT_USED, acting_user, "", "")
    return True


def _record(consent: Consent, action: AuditAction, acting_user: Actor, role: str, reason: str) -> None:
    after = {"kind": consent.kind, "endpoint": consent.endpoint_name, "digest": consent.digest}
    audit(
        action,
        Target("consent", consent.pk, str(consent)),
        consent.project,
        acting_user=acting_user,
        role=role,
        after={**after, "requester": consent.requester_name, "content": consent.content},
        reason=reason,
    )

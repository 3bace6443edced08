"""The only code that writes the states of promotions and consents. False means that somebody else was first."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from models.approvals.models import Consent, Promotion
from models.approvals.states import CONSENT, PROMOTION
from modelwright.accounts.models import User
from modelwright.core.states import move


def _move(promotion: Promotion, to: str, **changes: Any) -> bool:
    return move(Promotion.objects.filter(pk=promotion.pk), machine=PROMOTION, to=to, **changes)


def approve(
    promotion: Promotion, *, approver: User | None, name: str, decision: str, checks: list[Any], is_override: bool
) -> bool:
    """The version may answer at the stage. The database refuses a wrong approver with an IntegrityError."""
    facts = {"decided_by": name, "decided_at": timezone.now(), "decision": decision}
    return _move(promotion, "approved", approver=approver, decided_checks=checks, is_override=is_override, **facts)


def refuse(promotion: Promotion, *, name: str, decision: str, checks: list[Any]) -> bool:
    """It may not."""
    facts = {"decided_by": name, "decided_at": timezone.now(), "decision": decision}
    return _move(promotion, "refused", decided_checks=checks, **facts)


def withdraw(promotion: Promotion, *, name: str, decision: str) -> bool:
    """Nobody wants it any more."""
    return _move(promotion, "withdrawn", decided_by=name, decided_at=timezone.now(), decision=decision)


def revoke(promotion: Promotion, *, name: str, reason: str) -> bool:
    """What was approved is taken back."""
    return _move(promotion, "revoked", revoked_by=name, revoked_at=timezone.now(), revocation=reason)


def _move_consent(consent: Consent, to: str, **changes: Any) -> bool:
    return move(Consent.objects.filter(pk=consent.pk), machine=CONSENT, to=to, **changes)


def decide_consent(consent: Consent, to: str, *, approver: User | None, name: str, decision: str) -> bool:
    """It is given, refused or withdrawn. The database refuses the one who asked as the one who gives it."""
    facts = {"decided_by": name, "decided_at": timezone.now(), "decision": decision}
    return _move_consent(consent, to, approver=approver, **facts)


def revoke_consent(consent: Consent, *, name: str, reason: str) -> bool:
    """What was given is taken back, before it was used."""
    return _move_consent(consent, "revoked", revoked_by=name, revoked_at=timezone.now(), revocation=reason)


def use_consent(consent: Consent) -> bool:
    """What may be done once was done."""
    return _move_consent(consent, "used", used_at=timezone.now())

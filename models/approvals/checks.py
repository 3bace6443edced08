"""Writes what was found out about a version. Rooms above find out; a stage's gate only reads what stands here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from models.approvals.models import Check
from models.registry.models import ModelVersion
from models.registry.services import audit, target_of
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import ValidationFailed
from projects.selectors import authorize

MAX_DETAIL = 10_000
_KIND = re.compile(r"\A[a-z][a-z0-9-]{0,31}\Z")


@transaction.atomic
def record_check(
    version: ModelVersion,
    kind: str,
    outcome: str,
    detail: str = "",
    evidence: Mapping[str, Any] | None = None,
    *,
    acting_user: Actor,
) -> Check:
    """Put on record that the version passed or failed a check; from now on it is the one of its kind that counts.

    `kind` is a slug (`tests`, `replay`, `card`, `smoke`, …), `outcome` is `passed` or `failed`, `evidence` any JSON.
    The acting person needs RUN_START in the project. Raises ValidationFailed, PermissionRefused.
    """
    project = version.model.project
    role = authorize(acting_user, Permission.RUN_START, project)
    if not _KIND.match(kind):
        raise ValidationFailed(
            f"{kind[:60]!r} is no kind of check.",
            remedy="Use 1 to 32 small letters, digits and hyphens, such as replay.",
            field="kind",
        )
    if outcome not in Check.Outcome.values:
        raise ValidationFailed(f"{outcome[:60]!r} is no outcome.", remedy="Say passed or failed.", field="outcome")
    check: Check = Check.objects.create(
        version=version,
        kind=kind,
        outcome=outcome,
        detail=detail[:MAX_DETAIL],
        evidence=dict(evidence or {}),
        actor=acting_user.user,
        actor_name=acting_user.name[:100],
    )
    audit(
        AuditAction.MODEL_CHECK_RECORDED,
        target_of(version),
        project,
        acting_user=acting_user,
        role=role,
        after={"kind": kind, "outcome": outcome, "check": str(check.pk), "detail": check.detail[:500]},
    )
    return check

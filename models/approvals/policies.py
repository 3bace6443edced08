"""Writes which checks a project needs for a stage."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db import IntegrityError, transaction

from models.approvals.models import ApprovalPolicy
from models.approvals.selectors import policy_of
from models.approvals.stages import STAGING_FIRST, Stage
from models.registry.services import audit
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target
from modelwright.core.errors import PreconditionFailed, ValidationFailed
from projects.models import Project
from projects.selectors import authorize

MAX_KINDS = 20
_KIND = re.compile(r"\A[a-z][a-z0-9-]{0,31}\Z")


@transaction.atomic
def change_policy(
    project: Project,
    *,
    staging: Sequence[str] | None = None,
    production: Sequence[str] | None = None,
    expected: int | None = None,
    acting_user: Actor,
) -> ApprovalPolicy:
    """Change which kinds of checks the stages need; None leaves them. It holds for what is approved from now on.

    `expected` is the revision that the writer has seen. Raises PermissionRefused, ValidationFailed, PreconditionFailed.
    """
    role = authorize(acting_user, Permission.PROJECT_MANAGE, project)
    Project.objects.select_for_update(of=("self",), no_key=True).get(pk=project.pk)
    policy = policy_of(project)
    if expected is not None and expected != policy.revision:
        raise PreconditionFailed(
            "The policy was changed since you have read it.", remedy="Read it again and apply your change to it."
        )
    before = {Stage.STAGING: list(policy.staging), Stage.PRODUCTION: list(policy.production)}
    after = {
        Stage.STAGING: before[Stage.STAGING] if staging is None else _checked(staging, "staging"),
        Stage.PRODUCTION: before[Stage.PRODUCTION] if production is None else _checked(production, "production"),
    }
    if after == before:
        return policy
    if STAGING_FIRST in after[Stage.STAGING]:
        raise ValidationFailed("Staging cannot need staging.", remedy="Leave it out.", field="staging")
    policy.staging, policy.production = after[Stage.STAGING], after[Stage.PRODUCTION]
    policy.revision += 1
    try:
        with transaction.atomic():
            policy.save()
    except IntegrityError:
        raise PreconditionFailed("Somebody else changed the policy at the same moment.", remedy="Try again.") from None
    audit(
        AuditAction.APPROVAL_POLICY_CHANGED,
        Target("project", project.pk, project.name),
        project,
        acting_user=acting_user,
        role=role,
        before={str(stage): kinds for stage, kinds in before.items()},
        after={str(stage): kinds for stage, kinds in after.items()},
    )
    return policy


def _checked(kinds: Sequence[str], field: str) -> list[str]:
    found = list(dict.fromkeys(kinds))
    if len(found) > MAX_KINDS or any(not _KIND.match(kind) for kind in found):
        raise ValidationFailed(
            "These are no kinds of checks, or too many.",
            remedy=f"Give at most {MAX_KINDS} slugs such as tests, replay, card, smoke.",
            field=field,
        )
    return found

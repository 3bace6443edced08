"""What a person may do about a promotion, and who takes back what was agreed to."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q, QuerySet

from models.approvals.models import Promotion
from models.approvals.selectors import promotions
from models.approvals.stages import Stage
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import (
    PROJECT_ROLE_PERMISSIONS,
    WORKSPACE_ROLE_PERMISSIONS,
    Permission,
)
from modelwright.core.errors import PermissionRefused
from projects.models import Project, ProjectMembership
from projects.selectors import authorize, project_permissions
from workspaces.models import Membership


def to_decide(person: User) -> QuerySet[Promotion]:
    """Promotions that wait for a decision which this person may make: neither asked for nor made by them."""
    waiting = promotions(person).filter(state="requested")
    if not person.is_site_admin:
        roles = [role for role, held in PROJECT_ROLE_PERMISSIONS.items() if Permission.MODEL_APPROVE in held]
        own = ProjectMembership.objects.filter(user=person, role__in=roles).values("project_id")
        ruling = [role for role, held in WORKSPACE_ROLE_PERMISSIONS.items() if Permission.MODEL_APPROVE in held]
        ruled = Membership.objects.filter(user=person, role__in=ruling).values("workspace_id")
        waiting = waiting.filter(Q(version__model__project__in=own) | Q(version__model__project__workspace__in=ruled))
    second = Q(stage=Stage.PRODUCTION) & (Q(requester=person) | Q(author=person))
    return waiting.exclude(pk__in=Promotion.objects.filter(second).values("pk"))


def may_take_back(person: User, approver_id: UUID | None, held: Collection[Permission]) -> bool:
    """Whether it is theirs to take back what was agreed to: whoever agreed may, and administrators of the project."""
    is_own = Permission.MODEL_APPROVE in held and approver_id == person.pk
    return is_own or Permission.PROJECT_MANAGE in held


def require_may_take_back(acting_user: Actor, approver_id: UUID | None, project: Project) -> str:
    """Require that, and return the role for the audit row. Raises NotFound, PermissionRefused."""
    role = authorize(acting_user, Permission.MODEL_APPROVE, project)
    if not acting_user.is_system:
        person = acting_user.require_user()
        if not may_take_back(person, approver_id, project_permissions(person, project)):
            raise PermissionRefused(
                "Somebody else has given this, so it is not yours to take back.",
                remedy="Ask whoever gave it, or an administrator of the project.",
            )
    return role


def may_do(person: User, promotion: Promotion) -> dict[str, str | bool]:
    """What of a promotion's actions the person may do; `why_not` says in words why they may not approve it."""
    held = project_permissions(person, promotion.version.model.project)
    is_open, may_decide = promotion.state == "requested", Permission.MODEL_APPROVE in held
    why = ""
    if is_open and promotion.stage == Stage.PRODUCTION:
        if person.pk == promotion.requester_id:
            why = "You have asked for it yourself; production takes a second person."
        elif person.pk == promotion.author_id:
            why = "Your run made this version; production takes a second person."
    return {
        "may_approve": is_open and may_decide and not why,
        "may_refuse": is_open and may_decide,
        "may_withdraw": is_open and Permission.MODEL_EDIT in held,
        "may_revoke": promotion.state == "approved" and may_take_back(person, promotion.approver_id, held),
        "why_not": why if may_decide else "",
    }

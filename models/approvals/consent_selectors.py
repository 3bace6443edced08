"""What a person may see of consents."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from models.approvals.models import Consent
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.selectors import require_project, visible_projects


def consents(viewer: User) -> QuerySet[Consent]:
    """Consents of all projects that the person may see, newest first."""
    rows = Consent.objects.select_related("project__workspace", "requester", "approver")
    return rows.filter(project__in=visible_projects(viewer).order_by().values("pk")).order_by("-id")


def get_consent(viewer: User, consent_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Consent:
    """A consent in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    found = consents(viewer).filter(pk=consent_id).first()
    if found is None:
        raise NotFound(
            "There is no such consent, or it is not yours to see.", remedy="Open it from the list of consents."
        )
    require_project(viewer, permission, found.project)
    return found

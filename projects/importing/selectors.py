"""Imports of a project, for whoever sees the project."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.models import Project, SourceImport
from projects.selectors import require_project, visible_projects


def imports_of(project: Project) -> QuerySet[SourceImport]:
    """Its imports, newest first. The caller has required that the person sees the project."""
    return SourceImport.objects.filter(project=project).select_related("maker").order_by("-id")


def get_import(user: User, import_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> SourceImport:
    """One import of a project in which the person holds `permission`. Raises NotFound, PermissionRefused."""
    rows = SourceImport.objects.select_related("project__workspace", "maker")
    one: SourceImport | None = rows.filter(pk=import_id, project__in=visible_projects(user)).first()
    if one is None:
        raise NotFound(
            "There is no such import, or it is not yours to see.", remedy="See the list of the project's imports."
        )
    require_project(user, permission, one.project)
    return one

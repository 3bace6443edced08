"""What the pages of a project share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from projects.models import Project
from projects.selectors import get_project, project_permissions
from workspaces.pages import FormView


class ProjectPage(FormView):
    """A page of one project."""

    def project(
        self, request: HttpRequest, project_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> Project:
        """The project, in which the person holds `permission`."""
        return get_project(person_of(request), project_id, permission)

    def frame(self, request: HttpRequest, project: Project) -> dict[str, Any]:
        """What every page of a project shows around its content."""
        held = project_permissions(person_of(request), project)
        return {
            "project": project,
            "may_edit": Permission.PROJECT_EDIT in held,
            "may_manage": Permission.PROJECT_MANAGE in held,
        }

"""What a person may see of applications, and who may enter them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet

from modelwright.accounts.models import User
from modelwright.accounts.permissions import PROJECT_ROLE_PERMISSIONS, Permission, WorkspaceRole
from modelwright.core.errors import NotFound
from projects.models import Project, ProjectMembership
from projects.selectors import require_project, visible_projects
from sessions.applications.models import Application
from workspaces.models import Membership


def _applications() -> QuerySet[Application]:
    return Application.objects.select_related(
        "project__workspace", "profile", "created_by", "workload__host", "workload__environment_request"
    ).filter(deleted_at=None)


def applications_of(project: Project) -> QuerySet[Application]:
    """Those of the project, newest first. The caller has required PROJECT_VIEW."""
    return _applications().filter(project=project).order_by("-id")


def get_application(
    viewer: User, application_id: UUID, permission: Permission = Permission.PROJECT_VIEW
) -> Application:
    """An application in whose project the person holds `permission`. Raises NotFound and PermissionRefused."""
    found = _applications().filter(pk=application_id, project__in=visible_projects(viewer)).first()
    if found is None:
        raise NotFound(
            "There is no such application, or it is not yours to see.",
            remedy="See the list of the project's applications.",
        )
    require_project(viewer, permission, found.project)
    return found


def wanted_applications() -> QuerySet[Application]:
    """Those that shall run, for the watcher."""
    return _applications().filter(is_wanted=True).order_by("id")


def may_enter(viewer: User, application: Application) -> bool:
    """Whether the person gets in after signing in; the proxy asks the same list."""
    return str(viewer.pk) in people_of(application.project, application.entering_permission)


def people_of(project: Project, permission: Permission = Permission.PREDICT) -> frozenset[str]:
    """The ids of all who enter applications of the project that ask for `permission`."""
    roles = [role for role, held in PROJECT_ROLE_PERMISSIONS.items() if permission in held]
    members = ProjectMembership.objects.filter(project=project, role__in=roles)
    admins = Membership.objects.filter(workspace=project.workspace_id, role=WorkspaceRole.ADMIN)
    people = User.objects.filter(is_active=True).filter(
        Q(pk__in=members.values("user")) | Q(pk__in=admins.values("user")) | Q(is_site_admin=True)
    )
    return frozenset(map(str, people.values_list("pk", flat=True)))

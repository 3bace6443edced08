"""What a person may see of projects, and what they may do in one."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import (
    AUDITOR_PERMISSIONS,
    PROJECT_ROLE_PERMISSIONS,
    WORKSPACE_ROLE_PERMISSIONS,
    Permission,
    ProjectRole,
    WorkspaceRole,
)
from modelwright.core.errors import NotFound, PermissionRefused
from projects.models import Project, ProjectMembership
from workspaces.models import Membership, Workspace


class Roles(NamedTuple):
    """A person's roles in a project's workspace and in the project itself, None for none."""

    in_workspace: WorkspaceRole | None
    in_project: ProjectRole | None


# Written out: every request asks for it, and making it of three query sets took 1.5 ms of a processor instead of 0.1.
_ROLES = f"""
SELECT (SELECT role FROM {Membership._meta.db_table} WHERE workspace_id = %s AND user_id = %s),
       (SELECT role FROM {ProjectMembership._meta.db_table} WHERE project_id = %s AND user_id = %s)
"""  # noqa: S608 - names of tables


def roles_in(user: User, project: Project) -> Roles:
    """Both roles, read at once."""
    with connection.cursor() as cursor:
        cursor.execute(_ROLES, [project.workspace_id, user.pk, project.pk, user.pk])
        of_workspace, of_project = cursor.fetchone()
    return Roles(WorkspaceRole(of_workspace) if of_workspace else None, ProjectRole(of_project) if of_project else None)


def project_permissions(user: User, project: Project) -> frozenset[Permission]:
    """Everything that the person may do in the project, by site role, workspace role and project role together."""
    return frozenset(Permission) if user.is_site_admin else _held(user, roles_in(user, project))


def _held(user: User, roles: Roles) -> frozenset[Permission]:
    if user.is_site_admin:
        return frozenset(Permission)
    held: frozenset[Permission] = AUDITOR_PERMISSIONS if user.is_auditor else frozenset()
    if roles.in_workspace is None:
        return held
    held |= WORKSPACE_ROLE_PERMISSIONS[roles.in_workspace]
    return held | PROJECT_ROLE_PERMISSIONS[roles.in_project] if roles.in_project else held


def no_such_project() -> NotFound:
    """The error for a project that is not there, or not for this person to know of."""
    return NotFound(
        "There is no such project, or you are not a member of it.",
        remedy="Check the address, or ask an administrator of the project to add you.",
    )


def require_project(user: User, permission: Permission, project: Project) -> None:
    """Raise NotFound for a stranger and PermissionRefused for a member without `permission`."""
    _require(permission, project_permissions(user, project), project)


def _require(permission: Permission, held: frozenset[Permission], project: Project) -> None:
    if permission in held:
        return
    if Permission.PROJECT_VIEW not in held:
        raise no_such_project()
    raise PermissionRefused(
        f"Your role in the project {project.name} does not include {permission}.",
        remedy="Ask an administrator of the project.",
    )


def authorize(actor: Actor, permission: Permission, project: Project) -> str:
    """Require `permission` of an actor and return the role that gives it, for the audit row.

    The platform's own parts need no role. Raises as `require_project` does.
    """
    if actor.is_system:
        return actor.site_role
    user = actor.require_user()
    roles = roles_in(user, project)
    _require(permission, _held(user, roles), project)
    if roles.in_project and permission in PROJECT_ROLE_PERMISSIONS[roles.in_project]:
        return f"project {roles.in_project}"
    if roles.in_workspace and permission in WORKSPACE_ROLE_PERMISSIONS[roles.in_workspace]:
        return f"workspace {roles.in_workspace}"
    return actor.site_role


def visible_projects(user: User, workspace: Workspace | None = None) -> QuerySet[Project]:
    """The projects that the person may see, newest first; of one workspace where it is given."""
    projects = Project.objects.select_related("workspace").order_by("-id")
    if workspace is not None:
        projects = projects.filter(workspace=workspace)
    if user.is_site_admin or user.is_auditor:
        return projects
    administered = Workspace.objects.filter(memberships__user=user, memberships__role=WorkspaceRole.ADMIN)
    own = ProjectMembership.objects.filter(user=user)
    return projects.filter(Q(workspace__in=administered.values("pk")) | Q(pk__in=own.values("project_id")))


def get_project(user: User, project_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Project:
    """Return a project in which the person holds `permission`. Raises as `require_project` does."""
    project: Project | None = visible_projects(user).filter(pk=project_id).first()
    if project is None:
        raise no_such_project()
    require_project(user, permission, project)
    return project


def named_project(user: User, workspace: str, name: str, permission: Permission) -> Project:
    """As `get_project`, by the names of the workspace and the project."""
    project: Project | None = visible_projects(user).filter(workspace__name=workspace, name=name).first()
    if project is None:
        raise no_such_project()
    require_project(user, permission, project)
    return project


def members(project: Project) -> QuerySet[ProjectMembership]:
    """The memberships of the project with their people, by name. The caller has required PROJECT_VIEW."""
    return ProjectMembership.objects.filter(project=project).select_related("user").order_by("user__username")


def get_member(project: Project, username: str) -> ProjectMembership:
    """Return the membership of a person by name, an inactive one's too. Raises NotFound."""
    membership: ProjectMembership | None = members(project).filter(user__username=username).first()
    if membership is None:
        raise NotFound(
            f"The project {project.name} has no member called {username!r} of its own.",
            remedy="See the list of the project's members.",
        )
    return membership

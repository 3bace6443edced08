"""What a person may see of projects, and what they may do in one."""

from __future__ import annotations

from uuid import UUID

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
from modelwright.core.crypto import decrypt
from modelwright.core.errors import NotFound, PermissionRefused
from projects.models import Project, ProjectMembership, Variable
from workspaces.models import Workspace
from workspaces.selectors import role_in as role_in_workspace


def role_in(user: User, project: Project) -> ProjectRole | None:
    """The person's own role in the project, None for none."""
    role = ProjectMembership.objects.filter(project=project, user=user).values_list("role", flat=True).first()
    return ProjectRole(role) if role else None


def project_permissions(user: User, project: Project) -> frozenset[Permission]:
    """Everything that the person may do in the project, by site role, workspace role and project role together."""
    if user.is_site_admin:
        return frozenset(Permission)
    held: frozenset[Permission] = AUDITOR_PERMISSIONS if user.is_auditor else frozenset()
    in_workspace = role_in_workspace(user, project.workspace)
    if in_workspace is None:
        return held
    held |= WORKSPACE_ROLE_PERMISSIONS[in_workspace]
    role = role_in(user, project)
    return held | PROJECT_ROLE_PERMISSIONS[role] if role else held


def no_such_project() -> NotFound:
    """The error for a project that is not there, or not for this person to know of."""
    return NotFound(
        "There is no such project, or you are not a member of it.",
        remedy="Check the address, or ask an administrator of the project to add you.",
    )


def require_project(user: User, permission: Permission, project: Project) -> None:
    """Raise NotFound for a stranger and PermissionRefused for a member without `permission`."""
    held = project_permissions(user, project)
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
    require_project(user, permission, project)
    role = role_in(user, project)
    if role and permission in PROJECT_ROLE_PERMISSIONS[role]:
        return f"project {role}"
    in_workspace = role_in_workspace(user, project.workspace)
    if in_workspace and permission in WORKSPACE_ROLE_PERMISSIONS[in_workspace]:
        return f"workspace {in_workspace}"
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


def members(project: Project) -> QuerySet[ProjectMembership]:
    """The memberships of the project with their people, by name. The caller has required PROJECT_VIEW."""
    return ProjectMembership.objects.filter(project=project).select_related("user").order_by("user__username")


def variables(project: Project) -> QuerySet[Variable]:
    """The variables of the project, by name, with encrypted values. The caller has required PROJECT_VIEW."""
    return Variable.objects.filter(project=project).order_by("name")


def get_variable(project: Project, name: str) -> Variable:
    """Return one variable by name. Raises NotFound."""
    variable: Variable | None = variables(project).filter(name=name).first()
    if variable is None:
        raise NotFound(
            f"The project {project.name} has no variable {name[:128]!r}.", remedy="See the list of its variables."
        )
    return variable


def shown_value(variable: Variable) -> str | None:
    """The value of a variable as people may read it: None where it is secret."""
    return None if variable.is_secret else decrypt(variable.value)


def variables_for_run(project: Project) -> dict[str, str]:
    """Every variable of the project in the clear, for the environment of a run and for nothing else."""
    return {variable.name: decrypt(variable.value) for variable in variables(project)}


def get_member(project: Project, username: str) -> ProjectMembership:
    """Return the membership of a person by name, an inactive one's too. Raises NotFound."""
    membership: ProjectMembership | None = members(project).filter(user__username=username).first()
    if membership is None:
        raise NotFound(
            f"The project {project.name} has no member called {username!r} of its own.",
            remedy="See the list of the project's members.",
        )
    return membership

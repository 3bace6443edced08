"""What a person may see of workspaces, and what they may do in one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import (
    AUDITOR_PERMISSIONS,
    WORKSPACE_ROLE_PERMISSIONS,
    Permission,
    WorkspaceRole,
)
from modelwright.compute.allowances import Allowance
from modelwright.compute.models import ResourceProfile
from modelwright.compute.selectors import profiles
from modelwright.core.errors import NotFound, PermissionRefused
from workspaces.models import DataConnection, Membership, Workspace

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Quota:
    """What the runs and replicas of one workspace may use at the same time. None is no limit."""

    cpu: float | None
    memory_mib: int | None
    gpus: int | None
    concurrent_runs: int | None


def quota(workspace: Workspace) -> Quota:
    """The limits of the workspace: cores, MiB, runs."""
    return Quota(
        cpu=workspace.cpu_limit,
        memory_mib=workspace.memory_limit_mib,
        gpus=workspace.gpu_limit,
        concurrent_runs=workspace.concurrent_runs_limit,
    )


def allowances(ids: Iterable[UUID]) -> dict[UUID, Allowance]:
    """The same limits, of these workspaces, as placement asks for them."""
    fields = ("name", "cpu_limit", "memory_limit_mib", "gpu_limit", "concurrent_runs_limit", "host_labels")
    rows = Workspace.objects.filter(pk__in=list(ids)).values_list("pk", *fields)
    return {
        pk: Allowance(name, cpu, None if mib is None else mib * MIB, gpus, runs, labels)
        for pk, name, cpu, mib, gpus, runs, labels in rows
    }


def allowed_profiles(workspace: Workspace) -> QuerySet[ResourceProfile]:
    """The sizes that the runs of the workspace may ask for, smallest first."""
    known = profiles()
    return known.filter(name__in=workspace.profiles) if workspace.profiles else known


def role_in(user: User, workspace: Workspace) -> WorkspaceRole | None:
    """The person's role in the workspace, None for none."""
    role = Membership.objects.filter(workspace=workspace, user=user).values_list("role", flat=True).first()
    return WorkspaceRole(role) if role else None


def roles_of(user: User) -> dict[UUID, str]:
    """The person's role in each workspace that they are a member of, by the workspace's id."""
    return dict(Membership.objects.filter(user=user).values_list("workspace_id", "role"))


def workspace_permissions(user: User, workspace: Workspace) -> frozenset[Permission]:
    """Everything that the person may do in the workspace, by site role and membership together."""
    if user.is_site_admin:
        return frozenset(Permission)
    role = role_in(user, workspace)
    own = WORKSPACE_ROLE_PERMISSIONS[role] if role else frozenset()
    return own | AUDITOR_PERMISSIONS if user.is_auditor else own


def no_such_workspace() -> NotFound:
    """The error for a workspace that is not there, or not for this person to know of."""
    return NotFound(
        "There is no such workspace, or you are not a member of it.",
        remedy="Check the address, or ask an administrator of the workspace to add you.",
    )


def require_workspace(user: User, permission: Permission, workspace: Workspace) -> None:
    """Raise NotFound for a stranger and PermissionRefused for a member without `permission`."""
    held = workspace_permissions(user, workspace)
    if permission in held:
        return
    if Permission.WORKSPACE_VIEW not in held:
        raise no_such_workspace()
    raise PermissionRefused(
        f"Your role in the workspace {workspace.name} does not include {permission}.",
        remedy="Ask an administrator of the workspace.",
    )


def authorize(actor: Actor, permission: Permission, workspace: Workspace) -> str:
    """Require `permission` of an actor and return the role that gives it, for the audit row.

    The platform's own parts need no role. Raises as `require_workspace` does.
    """
    if actor.is_system:
        return actor.site_role
    user = actor.require_user()
    require_workspace(user, permission, workspace)
    role = role_in(user, workspace)
    return f"workspace {role}" if role and permission in WORKSPACE_ROLE_PERMISSIONS[role] else actor.site_role


def visible_workspaces(user: User) -> QuerySet[Workspace]:
    """The workspaces that the person is a member of; all of them for site administrators and auditors."""
    workspaces = Workspace.objects.order_by("name")
    if user.is_site_admin or user.is_auditor:
        return workspaces
    return workspaces.filter(memberships__user=user)


def administered_workspaces(user: User) -> QuerySet[Workspace]:
    """The workspaces in which the person holds WORKSPACE_MANAGE."""
    workspaces = Workspace.objects.order_by("name")
    if user.is_site_admin:
        return workspaces
    return workspaces.filter(memberships__user=user, memberships__role=WorkspaceRole.ADMIN)


def get_workspace(user: User, workspace_id: UUID, permission: Permission = Permission.WORKSPACE_VIEW) -> Workspace:
    """Return a workspace in which the person holds `permission`. Raises as `require_workspace` does."""
    workspace: Workspace | None = visible_workspaces(user).filter(pk=workspace_id).first()
    if workspace is None:
        raise no_such_workspace()
    require_workspace(user, permission, workspace)
    return workspace


def members(workspace: Workspace) -> QuerySet[Membership]:
    """The memberships of the workspace with their people, by name. The caller has required WORKSPACE_VIEW."""
    return Membership.objects.filter(workspace=workspace).select_related("user").order_by("user__username")


def data_connections(workspace: Workspace) -> QuerySet[DataConnection]:
    """The data connections of the workspace, by name. The caller has required WORKSPACE_VIEW."""
    return DataConnection.objects.filter(workspace=workspace).order_by("name")


def get_data_connection(workspace: Workspace, connection_id: UUID) -> DataConnection:
    """Return one connection of the workspace. Raises NotFound."""
    connection: DataConnection | None = data_connections(workspace).filter(pk=connection_id).first()
    if connection is None:
        raise NotFound(
            f"The workspace {workspace.name} has no such data connection.",
            remedy="See the list of the workspace's data connections.",
        )
    return connection


def get_member(workspace: Workspace, username: str) -> Membership:
    """Return the membership of a person by name, an inactive one's too. Raises NotFound."""
    membership: Membership | None = members(workspace).filter(user__username=username).first()
    if membership is None:
        raise NotFound(
            f"The workspace {workspace.name} has no member called {username!r}.",
            remedy="See the list of the workspace's members.",
        )
    return membership

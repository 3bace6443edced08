"""Writes to workspaces and their members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict, Unpack

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission, WorkspaceRole
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute.labels import check_labels
from modelwright.compute.selectors import profiles
from modelwright.core.errors import Conflict, NotFound, ValidationFailed
from modelwright.core.etags import check_revision
from modelwright.core.saving import insert, update
from workspaces.models import Membership, Workspace
from workspaces.selectors import authorize


class WorkspaceChanges(TypedDict, total=False):
    """What may be changed of a workspace. A limit of None takes the limit away."""

    description: str
    cpu_limit: float | None
    memory_limit_mib: int | None
    gpu_limit: int | None
    concurrent_runs_limit: int | None
    profiles: list[str]
    host_labels: dict[str, str]


_LIMITS = frozenset({"cpu_limit", "memory_limit_mib", "gpu_limit", "concurrent_runs_limit", "profiles", "host_labels"})


def _target(workspace: Workspace) -> Target:
    return Target("workspace", workspace.id, workspace.name)


def _facts(workspace: Workspace) -> dict[str, object]:
    return {
        "name": workspace.name,
        "description": workspace.description,
        "cpu_limit": workspace.cpu_limit,
        "memory_limit_mib": workspace.memory_limit_mib,
        "gpu_limit": workspace.gpu_limit,
        "concurrent_runs_limit": workspace.concurrent_runs_limit,
        "profiles": workspace.profiles,
        "host_labels": workspace.host_labels,
    }


def _check_resources(changes: WorkspaceChanges, present: Iterable[str] = ()) -> None:
    """Puts the profiles in order. Raises ValidationFailed for one that there is not, and for labels that are none."""
    if "profiles" in changes:
        known = {profile.name for profile in profiles()}
        # A size that was deleted since may stay: without it the workspace might be open to all.
        unknown = sorted(set(changes["profiles"]) - known - set(present))
        if unknown:
            raise ValidationFailed(
                f"There is no size called {unknown[0][:80]!r}.",
                remedy=f"Choose from: {', '.join(sorted(known))}.",
                field="profiles",
            )
        changes["profiles"] = sorted(set(changes["profiles"]))
    if "host_labels" in changes:
        changes["host_labels"] = check_labels(changes["host_labels"], field="host_labels")


@transaction.atomic
def create_workspace(*, name: str, acting_user: Actor, **changes: Unpack[WorkspaceChanges]) -> Workspace:
    """Make a workspace; a person who makes it becomes its first administrator.

    Only site administrators may. Raises ValidationFailed, Conflict, PermissionRefused.
    """
    if not acting_user.is_system:
        require_site(acting_user.require_user(), Permission.WORKSPACE_CREATE)
    _check_resources(changes)
    workspace = Workspace(name=name, **changes)
    insert(workspace, taken=f"There is a workspace called {name!r} already.")
    record(
        acting_user=acting_user,
        action=AuditAction.WORKSPACE_CREATED,
        target=_target(workspace),
        after=_facts(workspace),
        workspace_id=workspace.id,
    )
    if acting_user.user is not None:
        set_member(workspace, acting_user.user, role=WorkspaceRole.ADMIN, acting_user=acting_user)
    return workspace


@transaction.atomic
def change_workspace(
    workspace: Workspace,
    *,
    expected_revision: int | None = None,
    acting_user: Actor,
    **changes: Unpack[WorkspaceChanges],
) -> Workspace:
    """Change description or limits. Limits belong to the installation: only site administrators change them.

    Raises PreconditionFailed where `expected_revision` is not the current one, ValidationFailed, PermissionRefused.
    """
    role = authorize(acting_user, Permission.WORKSPACE_MANAGE, workspace)
    workspace = Workspace.objects.select_for_update().get(pk=workspace.pk)
    check_revision(workspace.revision, expected_revision)
    before = _facts(workspace)
    if not acting_user.is_system and any(changes[name] != before[name] for name in _LIMITS & changes.keys()):  # type: ignore[literal-required]
        require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    _check_resources(changes, workspace.profiles)
    for name, value in changes.items():
        setattr(workspace, name, value)
    if _facts(workspace) == before:
        return workspace
    workspace.revision += 1
    update(workspace, [*changes, "revision"])
    record(
        acting_user=acting_user,
        action=AuditAction.WORKSPACE_CHANGED,
        target=_target(workspace),
        before=before,
        after=_facts(workspace),
        role=role,
        workspace_id=workspace.id,
    )
    return workspace


@transaction.atomic
def set_member(workspace: Workspace, user: User, *, role: str, acting_user: Actor) -> Membership:
    """Give a person a role in the workspace, in place of the one they had. Doing it twice is harmless.

    Raises Conflict rather than take the role from the last administrator.
    """
    actor_role = _authorize_membership(workspace, acting_user)
    wanted = WorkspaceRole(role)
    membership = Membership.objects.filter(workspace=workspace, user=user).first()
    before = membership.role if membership else None
    if membership is None:
        membership = Membership.objects.create(workspace=workspace, user=user, role=wanted)
    elif before == wanted:
        return membership
    else:
        _keep_an_admin(workspace, membership)
        membership.role = wanted
        membership.save(update_fields=["role"])
    record(
        acting_user=acting_user,
        action=AuditAction.WORKSPACE_MEMBER_SET,
        target=Target("user", user.id, user.username),
        before={"role": before} if before else None,
        after={"role": wanted, "workspace": workspace.name},
        role=actor_role,
        workspace_id=workspace.id,
    )
    return membership


@transaction.atomic
def remove_member(workspace: Workspace, user: User, *, acting_user: Actor) -> None:
    """Take a person out of the workspace and, with that, out of every project in it.

    Raises NotFound where they were no member, Conflict rather than remove the last administrator.
    """
    actor_role = _authorize_membership(workspace, acting_user)
    membership = Membership.objects.filter(workspace=workspace, user=user).first()
    if membership is None:
        raise NotFound(
            f"{user.username} is not a member of the workspace {workspace.name}.",
            remedy="See the list of the workspace's members.",
        )
    _keep_an_admin(workspace, membership)
    membership.delete()
    record(
        acting_user=acting_user,
        action=AuditAction.WORKSPACE_MEMBER_REMOVED,
        target=Target("user", user.id, user.username),
        before={"role": membership.role, "workspace": workspace.name},
        role=actor_role,
        workspace_id=workspace.id,
    )


def _authorize_membership(workspace: Workspace, actor: Actor) -> str:
    """Lock the workspace, so that two administrators cannot remove each other at once, and check the actor."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    return authorize(actor, Permission.WORKSPACE_MANAGE, workspace)


def _keep_an_admin(workspace: Workspace, leaving: Membership) -> None:
    admins = Membership.objects.filter(workspace=workspace, role=WorkspaceRole.ADMIN).exclude(pk=leaving.pk)
    if leaving.role == WorkspaceRole.ADMIN and not admins.exists():
        raise Conflict(
            f"{leaving.user.username} is the last administrator of the workspace {workspace.name}.",
            remedy="Make another member administrator first.",
        )

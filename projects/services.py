"""Writes to projects, their members and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission, ProjectRole
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.errors import Conflict, NotFound
from modelwright.core.etags import check_revision
from modelwright.core.saving import insert, update
from projects import source
from projects.models import Project, ProjectMembership
from projects.prototypes import blank_files, get_prototype
from projects.selectors import authorize
from workspaces.models import Membership, Workspace
from workspaces.selectors import authorize as authorize_in_workspace


def _target(project: Project) -> Target:
    return Target("project", project.id, project.name)


def author_of(actor: Actor) -> source.Author:
    """The acting person as Git names them; the platform's own part where there is none."""
    if actor.user is None:
        return source.Author("Modelwright", "modelwright@localhost")
    name = "".join(c for c in actor.user.display_name if c.isprintable() and c not in "<>").strip(" .,;:'\"\\")
    return source.Author(name or actor.user.username, actor.user.email or f"{actor.user.username}@modelwright.invalid")


@transaction.atomic
def create_project(
    workspace: Workspace, *, name: str, description: str = "", prototype: str = "", acting_user: Actor
) -> Project:
    """Make a project whose first commit holds the prototype's files, or a README and an empty manifest.

    Whoever makes it becomes its administrator. Raises NotFound, ValidationFailed, Conflict, PermissionRefused.
    """
    role = authorize_in_workspace(acting_user, Permission.PROJECT_CREATE, workspace)
    start = get_prototype(prototype) if prototype else None
    if start and not description:
        description = start.manifest.description
    project = Project(workspace=workspace, name=name, description=description, prototype=prototype)
    insert(project, taken=f"The workspace {workspace.name} has a project called {name!r} already.")
    source.init_repository(project)
    commit = source.commit_files(
        project,
        dict(start.files) if start else blank_files(name),
        message=f"Start from the prototype {prototype}" if start else "Start",
        author=author_of(acting_user),
        expected_head=None,
    )
    record(
        acting_user=acting_user,
        action=AuditAction.PROJECT_CREATED,
        target=_target(project),
        after={"description": description, "prototype": prototype, "commit": commit, "workspace": workspace.name},
        role=role,
        workspace_id=workspace.id,
        project_id=project.id,
    )
    joined = Membership.objects.filter(workspace=workspace, user=acting_user.user).first()
    if acting_user.user is not None and joined is not None:
        _give_role(project, joined, ProjectRole.ADMIN, acting_user, role)
    return project


@transaction.atomic
def change_project(
    project: Project, *, description: str | None = None, expected_revision: int | None = None, acting_user: Actor
) -> Project:
    """Change what is said of the project. Raises PreconditionFailed, ValidationFailed, PermissionRefused."""
    role = authorize(acting_user, Permission.PROJECT_MANAGE, project)
    project = Project.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=project.pk)
    check_revision(project.revision, expected_revision)
    before = {"description": project.description}
    if description is None or description == project.description:
        return project
    project.description = description
    project.revision += 1
    update(project, ["description", "revision"])
    record(
        acting_user=acting_user,
        action=AuditAction.PROJECT_CHANGED,
        target=_target(project),
        before=before,
        after={"description": description},
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.id,
    )
    return project


@transaction.atomic
def set_member(project: Project, user: User, *, role: str, acting_user: Actor) -> ProjectMembership:
    """Give a member of the workspace a role in the project, in place of the one they had. Twice is harmless.

    Raises Conflict where they are not a member of the workspace.
    """
    actor_role = authorize(acting_user, Permission.PROJECT_MANAGE, project)
    joined: Membership | None = (
        Membership.objects.select_for_update().filter(workspace=project.workspace, user=user).first()
    )
    if joined is None:
        raise Conflict(
            f"{user.username} is not a member of the workspace {project.workspace.name}.",
            remedy="Have an administrator of the workspace add them there first.",
            field="username",
        )
    return _give_role(project, joined, ProjectRole(role), acting_user, actor_role)


def _give_role(
    project: Project, joined: Membership, role: ProjectRole, acting_user: Actor, actor_role: str
) -> ProjectMembership:
    existing = ProjectMembership.objects.filter(project=project, user=joined.user).first()
    if existing and existing.role == role:
        return existing
    membership, _ = ProjectMembership.objects.update_or_create(
        project=project, user=joined.user, defaults={"role": role, "workspace_membership": joined}
    )
    record(
        acting_user=acting_user,
        action=AuditAction.PROJECT_MEMBER_SET,
        target=Target("user", joined.user.id, joined.user.username),
        before={"role": existing.role} if existing else None,
        after={"role": role, "project": project.name},
        role=actor_role,
        workspace_id=project.workspace_id,
        project_id=project.id,
    )
    return membership


@transaction.atomic
def remove_member(project: Project, user: User, *, acting_user: Actor) -> None:
    """Take a person out of the project. Raises NotFound where they had no role of their own in it."""
    role = authorize(acting_user, Permission.PROJECT_MANAGE, project)
    membership = ProjectMembership.objects.select_for_update().filter(project=project, user=user).first()
    if membership is None:
        raise NotFound(
            f"{user.username} has no role of their own in the project {project.name}.",
            remedy="See the list of the project's members.",
        )
    membership.delete()
    record(
        acting_user=acting_user,
        action=AuditAction.PROJECT_MEMBER_REMOVED,
        target=Target("user", user.id, user.username),
        before={"role": membership.role, "project": project.name},
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.id,
    )


@transaction.atomic
def commit(
    project: Project,
    changes: Mapping[str, bytes | None],
    *,
    message: str,
    expected_head: str | None,
    acting_user: Actor,
) -> str:
    """Commit whole new contents (None deletes) on top of `expected_head`; return the commit's id.

    Raises Conflict where somebody was faster, ValidationFailed, PermissionRefused.
    """

    def write(author: source.Author) -> str:
        return source.write_commit(project, changes, message=message, author=author, expected_head=expected_head)

    about = {"message": message[:500], "paths": sorted(changes)[:100], "changes": len(changes)}
    return put_commit(project, write, about=about, expected_head=expected_head, acting_user=acting_user)


@transaction.atomic
def put_commit(
    project: Project,
    write: Callable[[source.Author], str],
    *,
    about: Mapping[str, Any],
    expected_head: str | None,
    acting_user: Actor,
) -> str:
    """Make what `write` writes, on top of `expected_head`, the newest commit, on record with `about`; return its id.

    Raises what `write` raises, Conflict where somebody was faster, PermissionRefused.
    """
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    Project.objects.select_for_update().get(pk=project.pk)
    sha = write(author_of(acting_user))
    record(
        acting_user=acting_user,
        action=AuditAction.PROJECT_COMMITTED,
        target=_target(project),
        before={"commit": expected_head},
        after={"commit": sha, **about},
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.id,
    )
    # Last, so that no commit is the newest one without its audit row.
    source.move_head(project, sha, expected_head)
    return sha

"""A push: branches and tags of a project, changed by an ordinary `git`."""

from __future__ import annotations

from typing import IO

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from projects.models import Project
from projects.selectors import authorize
from projects.source.incoming import NO_COMMIT, Incoming, RefUpdate, incoming, update_references


def push(project: Project, updates: list[RefUpdate], pack: IO[bytes], *, acting_user: Actor) -> None:
    """Take the pack in and make all changes, or none.

    Raises ValidationFailed, Conflict (a branch has moved, would lose commits, or may not be deleted), Unavailable,
    PermissionRefused.
    """
    authorize(acting_user, Permission.PROJECT_EDIT, project)
    with incoming(project) as new:
        if any(update.new != NO_COMMIT for update in updates):
            new.unpack(pack)
        new.check(updates)
        _accept(new, updates, acting_user)


@transaction.atomic
def _accept(new: Incoming, updates: list[RefUpdate], acting_user: Actor) -> None:
    project = new.project
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    # One write at a time, as with commits that are made here.
    Project.objects.select_for_update().get(pk=project.pk)
    record(
        acting_user=acting_user,
        action=AuditAction.PROJECT_PUSHED,
        target=Target("project", project.pk, project.name),
        before={each.name: None if each.old == NO_COMMIT else each.old for each in updates},
        after={each.name: None if each.new == NO_COMMIT else each.new for each in updates},
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
    new.keep()
    # Last, so that no branch names a commit without its audit row.
    update_references(project, updates)

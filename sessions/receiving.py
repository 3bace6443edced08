"""What a session pushes: its own branch, and what it saved. Nothing else of the project can be moved with its token."""

from __future__ import annotations

from typing import IO

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.errors import Conflict, PermissionRefused
from projects.models import Project
from projects.selectors import authorize
from projects.source.incoming import NO_COMMIT, Incoming, RefUpdate, incoming, references, update_references
from sessions.models import Session
from sessions.repository import branch_ref, tip


def pushable(session: Session) -> dict[str, str]:
    """What the session's Git is told before it pushes: branches and tags, and where it saved."""
    found = references(session.project)
    saved = tip(session.project, session.saved_ref)
    return {**found, session.saved_ref: saved} if saved else found


def receive(session: Session, updates: list[RefUpdate], pack: IO[bytes], *, acting_user: Actor) -> None:
    """Take the pack in and move the session's branch forward, its save anywhere.

    Raises ValidationFailed, Conflict, Unavailable, and PermissionRefused for whatever is not the session's own.
    """
    project = session.project
    authorize(acting_user, Permission.PROJECT_EDIT, project)
    own = {branch_ref(session), session.saved_ref}
    for update in updates:
        if update.name not in own or update.new == NO_COMMIT:
            raise PermissionRefused(
                f"A session pushes to its own branch {session.branch} and to nothing else.",
                remedy=f"Push with `git push origin HEAD:{session.branch}`, and merge it on the session's page.",
            )
    with incoming(project) as new:
        new.unpack(pack)
        for update in updates:
            if (tip(project, update.name) or NO_COMMIT) != update.old:
                raise Conflict(f"{update.name} has moved meanwhile.", remedy="Fetch first, then push again.")
            # A save replaces the one before it.
            is_save = update.name == session.saved_ref
            new.check_history(RefUpdate(update.name, NO_COMMIT, update.new) if is_save else update)
        new.check_objects([update.new for update in updates])
        _accept(session, new, updates, acting_user)


@transaction.atomic
def _accept(session: Session, new: Incoming, updates: list[RefUpdate], acting_user: Actor) -> None:
    project = session.project
    # One write at a time, as with commits that are made here.
    Project.objects.select_for_update().get(pk=project.pk)
    branches = [update for update in updates if update.name != session.saved_ref]
    if branches:  # A save is no event: it comes every few seconds.
        record(
            acting_user=acting_user,
            action=AuditAction.PROJECT_PUSHED,
            target=Target("project", project.pk, project.name),
            before={each.name: None if each.old == NO_COMMIT else each.old for each in branches},
            after={each.name: each.new for each in branches},
            reason=f"From {session}.",
            workspace_id=project.workspace_id,
            project_id=project.pk,
        )
    new.keep()
    # Last, so that no branch names a commit without its audit row.
    update_references(project, updates)

"""What is done with the work of a session, whether or not it still runs: committed, merged."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import Conflict, ValidationFailed
from projects.models import Project
from projects.selectors import authorize
from projects.services import author_of
from projects.source.reading import branch_ref as main_ref
from sessions import repository
from sessions.models import Session
from sessions.services.facts import audit

MAX_MESSAGE = 5000
_REQUIREMENT = re.compile(r"[a-z0-9][a-z0-9.-]{0,100}==[a-z0-9][a-z0-9.+!-]{0,60}")


@transaction.atomic
def commit_saved(session: Session, *, message: str, expected: str = "", acting_user: Actor) -> str:
    """Commit what was saved to the session's branch; return the commit.

    `expected` is the save that the person has seen, empty for whatever there is. Raises ValidationFailed where nothing
    is to be committed, Conflict where something newer was saved, PermissionRefused.
    """
    authorize(acting_user, Permission.PROJECT_EDIT, session.project)
    acting_user.require_user()  # A commit is a person's.
    said = _message(message)
    project = Project.objects.select_for_update().get(pk=session.project_id)
    stand = repository.standing(session)
    if stand.branch is None:
        raise Conflict(f"The branch {session.branch} is gone.", remedy="Somebody deleted the session.")
    if stand.saved is None or not repository.changes(project, stand.branch, stand.saved).files:
        raise Conflict("Everything that was saved is committed.", remedy="Change something in the session first.")
    if expected and expected != stand.saved:
        raise Conflict("Something newer was saved meanwhile.", remedy="Look at what changed, then commit again.")
    commit = repository.write_saved(
        project, saved=stand.saved, parent=stand.branch, message=said, author=author_of(acting_user)
    )
    facts = {"branch": session.branch, "commit": commit, "message": said[:500]}
    audit(session, AuditAction.SESSION_COMMITTED, acting_user, before={"commit": stand.branch}, after=facts)
    repository.point(project, repository.branch_ref(session), commit, stand.branch)
    return commit


@transaction.atomic
def merge_branch(session: Session, *, acting_user: Actor) -> str:
    """Merge the session's branch into the project's main one; return its newest commit.

    What is not committed stays out. Raises Conflict where there is nothing to merge, or where both sides changed the
    same lines, with a way out; PermissionRefused.
    """
    authorize(acting_user, Permission.PROJECT_EDIT, session.project)
    acting_user.require_user()  # A commit is a person's.
    project = Project.objects.select_for_update().get(pk=session.project_id)
    stand = repository.standing(session)
    if stand.branch is None or stand.main is None or not stand.ahead:
        raise Conflict(
            f"Everything that is committed on {session.branch} is in {project.default_branch} already.",
            remedy="Commit what is new first.",
        )
    message = f"Merge {session.branch}\n\nWork of {session.owner.username} in {session}."
    commit = repository.write_merge(
        project, ours=stand.main, theirs=stand.branch, message=message, author=author_of(acting_user)
    )
    facts = {"branch": session.branch, "commit": commit, "commits": stand.ahead}
    audit(session, AuditAction.SESSION_MERGED, acting_user, before={"commit": stand.main}, after=facts)
    repository.point(project, main_ref(project), commit, stand.main)
    return commit


@transaction.atomic
def want_packages(session: Session, *, packages: Sequence[str], acting_user: Actor) -> Session:
    """Have the session write packages that were installed in it into the project's requirements.txt.

    It does so itself, as an ordinary change of its tree. Raises ValidationFailed for what was not installed in it,
    Conflict where it does not run, PermissionRefused.
    """
    authorize(acting_user, Permission.PROJECT_EDIT, session.project)
    session = Session.objects.select_for_update(of=("self",)).select_related("project", "workload").get(pk=session.pk)
    strange = [one for one in packages if one not in session.packages or not _REQUIREMENT.fullmatch(one)]
    if strange or not packages:
        raise ValidationFailed(
            f"{strange[0][:60]!r} was not installed in this session." if strange else "No package is named.",
            remedy="Choose of those that the session lists.",
            field="packages",
        )
    if not session.is_ready:
        raise Conflict("The session does not run.", remedy="Resume it, or write them into requirements.txt by hand.")
    session.wanted_packages = sorted({*session.wanted_packages, *packages})
    session.save(update_fields=["wanted_packages"])
    audit(session, AuditAction.SESSION_PACKAGES_WANTED, acting_user, after={"packages": session.wanted_packages})
    return session


def _message(text: str) -> str:
    said = text.strip()
    if not said or len(said) > MAX_MESSAGE or any(not c.isprintable() and c not in "\n\t\r" for c in said):
        raise ValidationFailed(
            f"The message must have 1 to {MAX_MESSAGE} characters and none that cannot be seen.",
            remedy="Say in a line what the commit does and why.",
            field="message",
        )
    return said

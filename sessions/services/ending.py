"""Ends sessions, and takes over that they have ended."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.compute import services as compute
from modelwright.compute.observing import Observed
from modelwright.compute.results import OBSERVED, read_result
from modelwright.compute.services import mark_collected
from modelwright.core.errors import Conflict
from projects.models import Project
from projects.selectors import authorize
from sessions import repository
from sessions.models import Session, SessionStart
from sessions.services.facts import audit


@transaction.atomic
def request_stop(session: Session, *, reason: str = "", acting_user: Actor) -> Session:
    """Ask it to end: it saves what is in its tree, then its processes end. Raises Conflict when it is over."""
    authorize(acting_user, Permission.PROJECT_EDIT, session.project)
    before = session.state
    session.workload = compute.request_cancel(session.workload, acting_user=acting_user, reason=reason)
    why = reason or f"{acting_user.name} stopped it."
    first = Session.objects.filter(pk=session.pk, ending="").update(ending=why)
    if first:
        session.ending = why
        SessionStart.objects.filter(workload=session.workload).update(ending=why)
        audit(session, AuditAction.SESSION_STOP_REQUESTED, acting_user, before={"state": before}, reason=reason)
    return session


@transaction.atomic
def note_ended(session: Session, *, acting_user: Actor) -> bool:
    """Its process is over: its token is dead, and its end is on record. False when somebody else was faster."""
    if not mark_collected(session.workload):
        return False
    observed = Observed.from_json(read_result(session.workload, OBSERVED))
    SessionStart.objects.filter(workload=session.workload).update(observed=observed.as_json())
    Session.objects.filter(pk=session.pk, workload=session.workload, token_died_at=None).update(
        token_died_at=timezone.now(), is_busy=False, kernels=0, terminals=0
    )
    workload = session.workload
    facts = {
        "state": workload.state,
        "exit_code": workload.exit_code,
        "detail": workload.detail[:500],
        "peak_memory_bytes": workload.peak_memory_bytes,
        "saved": session.saved_commit or None,
        "environment": str(workload.environment) if workload.environment else None,
        "host": workload.host.name if workload.host else None,
    }
    audit(session, AuditAction.SESSION_ENDED, acting_user, after=facts, reason=session.ending)
    return True


@transaction.atomic
def delete_session(session: Session, *, discard: bool = False, acting_user: Actor) -> None:
    """Remove its branch and what it saved; the record of it stays.

    Raises Conflict while it runs, and where something of it is in no other branch unless `discard` says that it may go.
    """
    authorize(acting_user, Permission.PROJECT_EDIT, session.project)
    Project.objects.select_for_update().get(pk=session.project_id)
    session = Session.objects.select_for_update(of=("self",)).select_related("workload", "project").get(pk=session.pk)
    if not session.is_over:
        raise Conflict("The session runs.", remedy="Stop it first.")
    stand = repository.standing(session)
    uncommitted = bool(stand.saved and stand.branch and has_changes(session, stand.branch, stand.saved))
    if (uncommitted or stand.ahead) and not discard:
        what = "changes that are not committed" if uncommitted else f"{stand.ahead} commits that are not merged"
        raise Conflict(
            f"The session has {what}.",
            remedy="Commit and merge them, or say that they may be thrown away.",
            field="discard",
        )
    if not Session.objects.filter(pk=session.pk, deleted_at=None).update(deleted_at=timezone.now()):
        return
    before = {"branch": session.branch, "commit": stand.branch, "saved": stand.saved, "discarded": discard}
    audit(session, AuditAction.SESSION_DELETED, acting_user, before=before)
    repository.remove(session)


def has_changes(session: Session, before: str, after: str) -> bool:
    """Whether the files of two commits differ."""
    return bool(repository.changes(session.project, before, after).files)

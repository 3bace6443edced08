"""The watcher's ticks: the proxy's table, what is to end, and what has ended."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.compute.models import Workload
from modelwright.compute.selectors import uncollected
from modelwright.compute.services import mark_collected
from modelwright.core.errors import Conflict, Unavailable
from modelwright.core.looks import duration
from projects.models import Project
from projects.source.git import GitRefused
from sessions import table
from sessions.addresses import address, token
from sessions.applications import routing as applications
from sessions.models import Session
from sessions.repository import pack_together
from sessions.selectors import live_sessions, may_work_in
from sessions.services import note_ended, request_stop
from sessions.table import Entry, EntryState

logger = logging.getLogger(__name__)
SYSTEM = Actor.system("sessions")
KIND = "session"
BATCH = 20


def publish() -> bool:
    """Write the proxy's table; False where nothing changed."""
    entries = [*map(_entry, live_sessions()), *applications.entries()]
    return table.write(table.table_path(Path(settings.DATA_DIR)), entries)


def _entry(session: Session) -> Entry:
    owner = session.owner
    # It works with the rights of its owner, so nobody else may enter.
    may_enter = owner.is_active and may_work_in(owner, session.project)
    return Entry(
        key=session.key,
        kind=KIND,
        subject=str(session.pk),
        title=f"{session.project.name}, {session}",
        target=address(session.workload),
        state=EntryState.RUNNING if session.is_ready else EntryState.STARTING,
        users=frozenset({str(owner.pk)} if may_enter else ()),
        token=token(session.workload),
    )


def end_idle() -> int:
    """Ask those to end in which nothing was done for long, and whose people may work there no more; how many."""
    asked = 0
    for session in live_sessions().filter(ending=""):
        reason = _why(session)
        if reason:
            try:
                request_stop(session, reason=reason, acting_user=SYSTEM)
                asked += 1
            except Conflict:
                continue  # It has just ended.
    return asked


def _why(session: Session) -> str:
    owner = session.owner
    if not owner.is_active or not may_work_in(owner, session.project):
        return f"{owner.username} may not work in the project any more."
    # Its agent may be silent for a while, but what it said last holds: nothing was done since, as far as is known.
    if session.active_at is None or session.is_busy:
        return ""
    if timezone.now() - session.active_at < timedelta(seconds=session.idle_seconds):
        return ""
    return f"Nothing was done in it for {duration(session.idle_seconds)}."


def collect() -> int:
    """Take over that sessions have ended; how many."""
    done = 0
    for workload in list(uncollected(Workload.Kind.SESSION)[:BATCH]):
        session = (
            Session.objects.select_related("project", "workload__host", "workload__environment")
            .filter(starts__workload=workload)
            .first()
        )
        if session is None or session.workload_id != workload.pk:
            # Resumed before this was seen: what is left to do is to let its files go.
            done += mark_collected(workload)
        else:
            done += note_ended(session, acting_user=SYSTEM)
            _tidy(session.project)
    return done


@transaction.atomic
def _tidy(project: Project) -> None:
    Project.objects.select_for_update().get(pk=project.pk)
    try:
        pack_together(project)
    except (Unavailable, GitRefused) as error:
        # The repository is as it was; the end of another session tries again.
        logger.warning("the packs of project %s were not put together: %s", project, error)

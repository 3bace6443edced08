"""What the proxy's table says of applications."""

from __future__ import annotations

from modelwright.accounts.permissions import Permission
from sessions.addresses import address, token
from sessions.applications.models import Application
from sessions.applications.selectors import people_of, wanted_applications
from sessions.table import Entry, EntryState


def entries() -> list[Entry]:
    """One for each that shall run and has a process."""
    people: dict[tuple[object, Permission], frozenset[str]] = {}
    made = []
    for application in wanted_applications():
        if application.is_live:
            needed = application.entering_permission
            who = (application.project_id, needed)
            if who not in people:
                people[who] = people_of(application.project, needed)
            made.append(_entry(application, people[who]))
    return made


def _entry(application: Application, people: frozenset[str]) -> Entry:
    return Entry(
        key=application.key,
        kind="application",
        subject=str(application.pk),
        title=application.name,
        target=address(application.workload) if application.workload else "",
        state=EntryState.RUNNING if application.ready_at is not None else EntryState.STARTING,
        users=people,
        is_public=application.is_public,
        token=token(application.workload) if application.workload else "",
    )

"""Pushes to, and commits in, the repositories that the platform keeps. They stand in the audit log."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from jobs.models import Push, PushStart
from jobs.pushes.signatures import NO_COMMIT, Told
from jobs.pushes.starting import take
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent

logger = logging.getLogger(__name__)
# A push that nobody looked at for so long, because the platform did not run, starts nothing.
LATEST = timedelta(hours=1)
_HEADS = "refs/heads/"
# What gives the main branch another newest commit, besides pushes; a session's commit says which branch is meant.
_OF_MAIN = (AuditAction.PROJECT_COMMITTED, AuditAction.PROJECT_IMPORTED, AuditAction.SESSION_MERGED)
_ACTIONS = (AuditAction.PROJECT_PUSHED, AuditAction.SESSION_COMMITTED, *_OF_MAIN)


def tick() -> int:
    """Start what new pushes start; return how many runs. Any number of processes may tick at once."""
    starts = PushStart.objects.filter(is_active=True, via=PushStart.Via.GIT)
    return sum(
        _take(start, key, told)
        for start in list(starts.select_related("project__workspace", "job", "maker"))
        for key, told in _news(start)
    )


def _news(start: PushStart) -> list[tuple[str, Told]]:
    """Pushes to its project that it has not taken yet. Rows become visible in any order, so there is no position."""
    since = max(start.created_at, timezone.now() - LATEST)
    events = AuditEvent.objects.filter(
        project_id=start.project_id,
        action__in=_ACTIONS,
        at__gte=since,
    ).order_by("id")
    taken = set(Push.objects.filter(start=start, created_at__gte=since).values_list("key", flat=True))
    found = [(_key(event, told), told) for event in events for told in _told(start, event)]
    return [(key, told) for key, told in found if key not in taken]


def _key(event: AuditEvent, told: Told) -> str:
    return hashlib.sha256(f"{event.pk} {told.branch}".encode()).hexdigest()


def _told(start: PushStart, event: AuditEvent) -> list[Told]:
    """The branches that it moved and that are meant."""
    after: dict[str, Any] = event.after or {}
    if event.action in _OF_MAIN:
        after = {f"{_HEADS}{start.project.default_branch}": after.get("commit")}
    elif event.action == AuditAction.SESSION_COMMITTED:
        after = {f"{_HEADS}{after.get('branch')}": after.get("commit")}
    branches = {name.removeprefix(_HEADS): commit for name, commit in after.items() if name.startswith(_HEADS)}
    told = [
        Told(branch, str(commit))
        for branch, commit in branches.items()
        if commit and commit != NO_COMMIT and start.branch in ("", branch)
    ]
    return told[:20]


def _take(start: PushStart, key: str, told: Told) -> bool:
    try:
        push = take(start, told, key=key, commit=told.commit)
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        # One push must not keep the others from being seen.
        logger.exception("push of %s to %s", told.branch, start)
        return False
    return push is not None and push.outcome == Push.Outcome.STARTED

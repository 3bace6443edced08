"""Starts the jobs whose time has come. Any number of schedulers may tick at once."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from jobs.models import Job, Run
from jobs.schedules import next_times
from jobs.services import RunRequest, start_unattended
from modelwright.accounts.actors import Actor
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)
SYSTEM = Actor.system("scheduler")
# A time that was missed by more than this, because the platform did not run, is passed over.
LATEST = timedelta(hours=1)


def tick() -> int:
    """Start each due job once; return how many were started."""
    now = timezone.now()
    due = Job.objects.filter(is_active=True, next_run_at__lte=now).select_related("project__workspace", "profile")
    return sum(_start(job) for job in list(due))


def _start(job: Job) -> bool:
    """Claim the due time by a conditional UPDATE and start the run in the same transaction."""
    due, now = job.next_run_at, timezone.now()
    assert due is not None  # noqa: S101 - the query asks for it
    try:
        following = next_times(job.schedule, after=now)[0]
    except PlatformError:
        following = None
    with transaction.atomic():
        claimed = Job.objects.filter(pk=job.pk, is_active=True, next_run_at=due).update(next_run_at=following)
        if not claimed:
            return False
        if now - due > LATEST:
            logger.warning("%s was due at %s, which is long past; it runs at %s", job, due, following)
            return False
        return start_unattended(RunRequest(job=job, trigger=Run.Trigger.SCHEDULE), job, acting_user=SYSTEM)

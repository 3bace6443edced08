"""The watcher's tick: starts what shall run, with longer and longer pauses where it ends again, and looks whether it
answers."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.compute.models import Workload
from modelwright.compute.selectors import uncollected
from modelwright.compute.services import mark_collected
from modelwright.core.errors import PlatformError
from sessions.addresses import takes_connections
from sessions.applications.models import Application
from sessions.applications.selectors import wanted_applications
from sessions.applications.starting import begin, plan_again

logger = logging.getLogger(__name__)

SYSTEM = Actor.system("applications")
FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0
BATCH = 20
# Who ran for so long has come up well; what ends it then is another trouble than the one before.
STEADY = timedelta(seconds=60)


def tick() -> int:
    """Look at each application that shall run; how many were started. What has ended leaves nothing but its log."""
    for workload in list(uncollected(Workload.Kind.APPLICATION)[:BATCH]):
        mark_collected(workload)
    return sum(map(_mind, wanted_applications()))


def _mind(application: Application) -> bool:
    workload = application.workload
    if workload is not None and not workload.is_ended:
        _look(application, workload)
        return False
    if application.starts_at is None and workload is not None:
        failures = 1 if _was_steady(workload) else application.failures + 1
        plan_again(application, delay=delay_after(failures), failures=failures)
        return False
    if application.starts_at is not None and application.starts_at > timezone.now():
        return False
    try:
        return begin(application, acting_user=SYSTEM) is not None
    except PlatformError as error:
        # Tried again later: a branch may come back, a limit may be raised.
        failures = application.failures + 1
        Application.objects.filter(pk=application.pk).update(starts_at=None)
        plan_again(application, delay=delay_after(failures), failures=failures, trouble=error.message)
        return False


def delay_after(failures: int) -> float:
    """Seconds until the next start after so many ends in a row."""
    return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 20)))


def _was_steady(workload: Workload) -> bool:
    began, ended = workload.started_at, workload.finished_at
    return began is not None and ended is not None and ended - began > STEADY


def _look(application: Application, workload: Workload) -> None:
    """Note whether its socket takes connections: it is there once the application's own server answers."""
    answers = workload.state == "running" and takes_connections(workload)
    is_new = answers and application.ready_at is None
    if answers != application.answers or is_new:
        changes = {"answers": answers} | ({"ready_at": timezone.now()} if is_new else {})
        Application.objects.filter(pk=application.pk, workload=workload).update(**changes)

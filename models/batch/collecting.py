"""What becomes of batch jobs whose process ended without a word: one tick of the control plane."""

from __future__ import annotations

import logging

from django.db import DatabaseError

from models.batch import services, working
from models.batch.models import BatchAttempt, BatchJob
from modelwright.accounts.actors import Actor
from modelwright.compute.models import Workload
from modelwright.compute.selectors import log_tail, uncollected
from modelwright.compute.services import mark_collected
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)

SYSTEM = Actor.system("batch scoring")
# So often it goes on by itself when its host is lost.
MOST_ATTEMPTS = 5
LOG_LINES = 12
BATCH = 20
_REMEDY = "See the log of the attempt. Then try again: it goes on after what is stored."


def collect() -> int:
    """Look at ended scoring processes; return how many. One job's trouble does not hold up the others."""
    done = 0
    for workload in list(uncollected(Workload.Kind.SCORING)[:BATCH]):
        attempt = BatchAttempt.objects.select_related("job__project").filter(workload=workload).first()
        try:
            if attempt is not None and attempt.job.is_live and attempt.job.attempt == attempt.number:
                _see_to(attempt.job, workload)
            mark_collected(workload)
            done += 1
        except (PlatformError, DatabaseError):
            # It stays uncollected, so the next tick tries again.
            logger.exception("collecting %s", workload)
    return done


def _see_to(job: BatchJob, workload: Workload) -> None:
    # Cancelled, and nobody asked for it: its host was stopped.
    was_taken_away = workload.state == "lost" or (
        workload.state == "cancelled" and workload.cancel_requested_at is None and workload.started_at is not None
    )
    if was_taken_away and job.attempt < MOST_ATTEMPTS:
        why = workload.detail.partition("\n")[0]
        services.begin_again(job, because=f"Attempt {job.attempt} was lost. {why}".strip(), acting_user=SYSTEM)
        return
    working.give_up(job, message=_why(workload), remedy=_REMEDY)


def _why(workload: Workload) -> str:
    parts = [f"Its process {workload.get_state_display().lower()}.", workload.detail]
    if tail := log_tail(workload, LOG_LINES):
        parts.append(f"The last lines of its log:\n{tail}")
    return "\n".join(part for part in parts if part)

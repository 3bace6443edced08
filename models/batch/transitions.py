"""The only code that writes the states of batch jobs. False means that somebody else was first."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from models.batch.models import BatchJob
from models.batch.states import BATCH
from modelwright.core.states import move


def _move(job: BatchJob, to: str, **changes: Any) -> bool:
    return move(BatchJob.objects.filter(pk=job.pk, attempt=job.attempt), machine=BATCH, to=to, **changes)


def begin(job: BatchJob) -> bool:
    """Its process has begun to read."""
    return _move(job, "running", detail="", remedy="", started_at=timezone.now())


def succeed(job: BatchJob, **facts: Any) -> bool:
    """Every row is predicted and stored. Its token is worth nothing any more."""
    return _end(job, "succeeded", detail="", remedy="", **facts)


def fail(job: BatchJob, *, detail: str, remedy: str) -> bool:
    """It cannot go on. What is stored stays, and another attempt goes on after it."""
    return _end(job, "failed", detail=detail, remedy=remedy)


def cancel(job: BatchJob, *, detail: str) -> bool:
    """Somebody wanted it to end."""
    return _end(job, "cancelled", detail=detail, remedy="")


def queue_again(job: BatchJob, **facts: Any) -> bool:
    """Another attempt follows; `facts` are its number, workload and token."""
    return _move(job, "queued", token_died_at=None, started_at=None, ended_at=None, rate=None, **facts)


def _end(job: BatchJob, to: str, **facts: Any) -> bool:
    now = timezone.now()
    return _move(job, to, ended_at=now, token_died_at=now, **facts)

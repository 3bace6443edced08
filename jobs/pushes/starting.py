"""Starts the job of a push, once for each push."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from jobs.models import Push, PushStart, Run
from jobs.pushes.services import target_of
from jobs.pushes.signatures import Told
from jobs.services import RunRequest, follow_manifest, start_run
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import record
from modelwright.core.errors import PermissionRefused, PlatformError

# Of one job, begun by pushes and not over: what pushes itself must not start itself without end.
MOST_UNFINISHED = 20


def take(start: PushStart, told: Told, *, key: str, commit: str | None, address: str = "") -> Push | None:
    """Note the push and start the job where the branch is meant; None where this one was taken before.

    `commit` is the commit to run, None for the newest one of the project. Note, audit row and run are one transaction.
    """
    try:
        with transaction.atomic():
            push = Push.objects.create(
                start=start,
                key=key,
                branch=told.branch,
                commit=told.commit,
                outcome=Push.Outcome.IGNORED,
                detail=told.because or _not_meant(start, told),
                address=address,
            )
            if not push.detail:
                _start(start, push, commit)
            return push
    except IntegrityError:
        if Push.objects.filter(start=start, key=key).exists():
            return None
        raise


def actor_for(start: PushStart, address: str = "") -> Actor:
    """The person whose runs these are. Raises PermissionRefused where nobody stands for them any more."""
    maker = start.maker
    if maker is None or not maker.is_active:
        raise PermissionRefused(
            f"Whoever set up {start.name} is not active any more.",
            remedy="Have somebody who may start runs save it again: its runs are theirs then.",
        )
    return Actor(user=maker, kind="push", name=maker.username, address=address)


def _not_meant(start: PushStart, told: Told) -> str:
    if not start.branch or start.branch == told.branch:
        return ""
    return f"It is for {start.branch}."


def _start(start: PushStart, push: Push, commit: str | None) -> None:
    job = start.job
    try:
        actor = actor_for(start, push.address)
        follow_manifest(start.project)
        job.refresh_from_db()
        _check_unfinished(start)
        request = RunRequest(job=job, commit=commit, trigger=Run.Trigger.PUSH)
        with transaction.atomic():
            push.run = start_run(start.project, request, acting_user=actor)
        push.outcome = Push.Outcome.STARTED
    except PlatformError as error:
        actor = Actor.system("push")
        push.outcome, push.detail = Push.Outcome.FAILED, f"{error.message} {error.remedy}".strip()
    push.save(update_fields=["run", "outcome", "detail"])
    record(
        acting_user=actor,
        action=AuditAction.PUSH_TAKEN,
        target=target_of(start),
        after={
            "branch": push.branch,
            "commit": push.commit,
            "outcome": push.outcome,
            "detail": push.detail[:500],
            "run": str(push.run) if push.run else None,
            "address": push.address,
        },
        workspace_id=start.project.workspace_id,
        project_id=start.project_id,
    )


def _check_unfinished(start: PushStart) -> None:
    waiting = Run.objects.filter(job=start.job, trigger=Run.Trigger.PUSH, workload__finished_at=None).count()
    if waiting >= MOST_UNFINISHED:
        raise PermissionRefused(
            f"{waiting} runs of {start.job.name} that pushes started are not over yet.",
            remedy="Wait for them or cancel them, and see that the job does not push to the branch that starts it.",
        )

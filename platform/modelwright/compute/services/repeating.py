"""Queues an ended workload's work once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import hints
from modelwright.compute.models import Workload
from modelwright.compute.sealed import Secrets, seal

# What the next one takes over from the one before: what it is for, what it needs, what it does.
REPEATED = (
    "kind",
    "name",
    "project_id",
    "workspace_id",
    "created_by",
    "environment_request",
    "environment_note",
    "cpu",
    "memory_bytes",
    "gpus",
    "labels",
    "timeout_seconds",
)


REPEATS = "repeats"


def times_repeated(workload: Workload) -> int:
    """How many workloads before this one did the same."""
    return int(workload.spec.get(REPEATS, 0))


@transaction.atomic
def repeat_workload(
    workload: Workload,
    *,
    secret_variables: Mapping[str, str],
    secret_files: Mapping[str, str] | None = None,
    masked: Sequence[str] = (),
    retryable: bool,
    acting_user: Actor,
) -> Workload:
    """A new queued workload that does what the ended one did. What is secret is given anew: it was forgotten.

    The caller has checked that it may be. Placement begins when the caller's transaction commits.
    """
    now = timezone.now()
    # An environment that came with a request is found again; one that was named stays.
    environment = None if workload.environment_request is not None else workload.environment
    again = Workload.objects.create(
        **{name: getattr(workload, name) for name in REPEATED},
        environment=environment,
        spec={**workload.spec, "retryable": retryable, REPEATS: times_repeated(workload) + 1},
        secrets=seal(Secrets(secret_variables, secret_files or {}, masked)),
        hinted_at=now,
        available_at=now + hints.ANSWERED_WITHIN,
    )
    record(
        acting_user=acting_user,
        action=AuditAction.WORKLOAD_CREATED,
        target=Target("workload", again.pk, again.name),
        after={"kind": again.kind, "cpu": again.cpu, "memory_bytes": again.memory_bytes, "repeats": str(workload.pk)},
        workspace_id=again.workspace_id,
        project_id=again.project_id,
    )
    transaction.on_commit(lambda: hints.place(again.pk))
    return again

"""The one way in which workloads end: state, audit row, and a look at the queue, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import hints, transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.models import Workload
from modelwright.core.text import storable

SYSTEM = Actor.system("compute")


def wake_queue() -> None:
    """Has the queue looked at once the caller's transaction is over: there is more room, or an environment is ready.

    One row stands for the queue, so that an end costs the same however many wait: the first that nobody holds.
    """
    if _mark_first(skip_locked=True):
        transaction.on_commit(hints.look_at_queue)
    elif Workload.objects.filter(state="queued").exists():
        # A round holds them all and may have looked before there was room. The caller must not wait for it, since it
        # may hold what that round waits for; once the caller is done it may.
        transaction.on_commit(_wake_after_round, robust=True)


@transaction.atomic
def _wake_after_round() -> None:
    if _mark_first(skip_locked=False):
        transaction.on_commit(hints.look_at_queue)


def _mark_first(*, skip_locked: bool) -> bool:
    """Has one row say that a look at the queue is due."""
    waiting = Workload.objects.filter(state="queued").order_by("queued_at")
    first = waiting.select_for_update(skip_locked=skip_locked)
    now = timezone.now()
    # `pk=`, not `pk__in=`: what stands behind IN may be asked once for each row, and passes over one more each time.
    return Workload.objects.filter(pk=first.values("pk")[:1]).update(available_at=now, hinted_at=now) > 0


@transaction.atomic
def end_workload(
    workload_id: UUID,
    fence: int | None,
    *,
    cause: Cause,
    facts: Mapping[str, Any],
    acting_user: Actor = SYSTEM,
) -> bool:
    """Ends the workload under this fence. False when it has ended already or has another fence by now."""
    detail = storable(str(facts.get("detail", "")))
    if not transitions.end(workload_id, fence, cause=cause.value, facts={**facts, "detail": detail}):
        return False
    workload = Workload.objects.get(pk=workload_id)
    wake_queue()
    record(
        acting_user=acting_user,
        action=AuditAction.WORKLOAD_ENDED,
        target=Target("workload", workload.pk, workload.name),
        after={"state": workload.state, "exit_code": workload.exit_code, "detail": workload.detail[:500]},
        workspace_id=workload.workspace_id,
        project_id=workload.project_id,
    )
    return True

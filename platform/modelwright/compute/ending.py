"""The one way in which workloads end: state, audit row, and what waited for it, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.environment_results import storable, take_result
from modelwright.compute.models import Workload

SYSTEM = Actor.system("compute")


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
    if workload.kind == Workload.Kind.ENVIRONMENT:
        take_result(workload)
    # Its room is free, or its environment is there: everything that waits is looked at again.
    Workload.objects.filter(state="queued").update(available_at=timezone.now(), hinted_at=None)
    record(
        acting_user=acting_user,
        action=AuditAction.WORKLOAD_ENDED,
        target=Target("workload", workload.pk, workload.name),
        after={"state": workload.state, "exit_code": workload.exit_code, "detail": workload.detail[:500]},
        workspace_id=workload.workspace_id,
        project_id=workload.project_id,
    )
    return True

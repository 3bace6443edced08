"""Retires endpoints: nothing is served any more and what was held for it is given back; record and artifacts stay."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from models.endpoints import transitions
from models.endpoints.models import Deployment, Endpoint, Replica
from models.endpoints.selectors import live_deployment
from models.endpoints.services import audit, endpoint_target, facts_of
from models.endpoints.states import UNDER_WAY
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from projects.selectors import authorize


@dataclass(frozen=True)
class Held:
    """What replicas hold: CPUs, bytes of memory, whole GPUs."""

    replicas: int = 0
    cpu: float = 0.0
    memory_bytes: int = 0
    gpus: int = 0


@dataclass(frozen=True)
class Retirement:
    """When and by whom an endpoint was retired, what that gives back, and what of it is held until replicas end."""

    at: datetime
    by: str
    reason: str
    given_back: Held
    still_held: Held


@transaction.atomic
def retire(endpoint: Endpoint, *, reason: str = "", acting_user: Actor) -> Held:
    """Serve nothing any more and give back what is held for it; return what that is. Keys, record, deployments and
    artifacts stay; a deployment or rollback brings it back. Doing it twice is harmless.

    Raises PermissionRefused.
    """
    role = authorize(acting_user, Permission.ENDPOINT_MANAGE, endpoint.project)
    Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    live = live_deployment(endpoint)
    if not transitions.retire(endpoint):
        return Held()
    for deployment in Deployment.objects.filter(endpoint=endpoint, state__in=(*UNDER_WAY, "live")):
        transitions.supersede(deployment, detail=f"The endpoint was retired by {acting_user.name}.")
    held = held_for(endpoint)
    audit(
        AuditAction.ENDPOINT_RETIRED,
        endpoint_target(endpoint),
        endpoint,
        acting_user=acting_user,
        role=role,
        before=facts_of(live) if live else None,
        after={"state": "retired", "given_back": asdict(held)},
        reason=reason.strip(),
    )
    endpoint.refresh_from_db(fields=["state"])
    return held


def held_for(endpoint: Endpoint) -> Held:
    """What its replicas hold now; one that waits for a host holds nothing. The caller has required PROJECT_VIEW."""
    workloads = [replica.workload for replica in _running(endpoint).exclude(workload__host=None)]
    return Held(
        replicas=len(workloads),
        cpu=round(sum(each.cpu for each in workloads), 3),
        memory_bytes=sum(each.memory_bytes for each in workloads),
        gpus=sum(each.gpus for each in workloads),
    )


def retirement_of(endpoint: Endpoint) -> Retirement | None:
    """How it was retired, while it is. The caller has required PROJECT_VIEW."""
    if endpoint.state != "retired":
        return None
    events = AuditEvent.objects.filter(
        action=AuditAction.ENDPOINT_RETIRED, target_kind="endpoint", target_id=str(endpoint.pk)
    )
    event = events.order_by("-id").first()
    if event is None:
        return None
    told: dict[str, Any] = (event.after or {}).get("given_back") or {}
    return Retirement(event.at, event.actor_name, event.reason, Held(**told), held_for(endpoint))


def _running(endpoint: Endpoint) -> QuerySet[Replica]:
    return Replica.objects.filter(endpoint=endpoint, workload__finished_at=None).select_related("workload")

"""Writes to hosts: enter one, take one out of use and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import transitions
from modelwright.compute.models import Host
from modelwright.core.errors import Conflict, ValidationFailed


@transaction.atomic
def set_host_state(host: Host, *, state: str, acting_user: Actor) -> Host:
    """Takes the host out of use for new workloads (`draining`) or back into it (`active`). Site administrators only.

    Raises PermissionRefused, ValidationFailed, and Conflict when its state does not allow it.
    """
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    if state not in ("active", "draining"):
        raise ValidationFailed(
            f"{state!r} is not for a person to set.", remedy="Use active or draining.", field="state"
        )
    before = host.state
    if before == state:
        return host
    if not transitions.host_state(host, to=state):
        raise Conflict(
            f"Host {host.name} is {before} and cannot become {state}.",
            remedy="Start its watcher first." if before == "offline" else "Reload the page.",
        )
    record(
        acting_user=acting_user,
        action=AuditAction.HOST_CHANGED,
        target=Target("host", host.pk, host.name),
        before={"state": before},
        after={"state": state},
    )
    host.refresh_from_db()
    return host


@transaction.atomic
def announce_host(
    *, name: str, cpu: float, memory_bytes: int, acting_user: Actor, labels: Mapping[str, Any] | None = None
) -> Host:
    """Enters the host, or notes that it lives and what it has now. An offline host becomes active again."""
    host, created = Host.objects.get_or_create(
        name=name, defaults={"cpu": cpu, "memory_bytes": memory_bytes, "labels": dict(labels or {})}
    )
    facts = {"cpu": cpu, "memory_bytes": memory_bytes}
    if host.state == "offline":
        transitions.host_state(host, to="active")
    changed = (host.cpu, host.memory_bytes) != (cpu, memory_bytes)
    Host.objects.filter(pk=host.pk).update(heartbeat_at=timezone.now(), **facts)
    if created or changed:
        record(
            acting_user=acting_user,
            action=AuditAction.HOST_ANNOUNCED,
            target=Target("host", host.pk, host.name),
            before=None if created else {"cpu": host.cpu, "memory_bytes": host.memory_bytes},
            after=facts,
        )
    host.refresh_from_db()
    return host

"""Writes to hosts: enter one, take one out of use and back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import transitions
from modelwright.compute.gpus import Gpu
from modelwright.compute.models import Host
from modelwright.core.errors import Conflict, ValidationFailed

# How busy its GPUs are, and when that was read, in seconds since 1970.
LOAD, READ_AT = "gpu_load", "gpus_read_at"
LOAD_SECONDS = 30
# The facts that a host's own watcher tells and takes back; others may have added more.
ANNOUNCED = ("python", "system", "platform", "gpu_driver", "nvml", "cuda", "gpu_problem", "machines_problem")


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
    if before == "offline" or not transitions.host_state(host, to=state):
        raise Conflict(
            f"Host {host.name} is {before} and cannot become {state}.",
            remedy="Start its watcher first." if before == "offline" else "Reload the page.",
        )
    Host.objects.filter(pk=host.pk).update(drained=state == "draining")
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
    *,
    name: str,
    cpu: float | None,
    memory_bytes: int | None,
    acting_user: Actor,
    gpus: Sequence[Gpu] | None = None,
    machines: Sequence[Mapping[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
    backend: str | None = None,
    address: str | None = None,
    bridge_port: int | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Host:
    """Enters the host, or notes that it lives and what it has now.

    An offline host becomes active again, or draining where somebody drained it; a removed one stays removed and is
    only answered: it has to join again. What is None stays as it was; a new host has no room then. The audit trail
    tells what a host has, when that changes; how busy its GPUs are is written every half minute and stands in
    `facts["gpu_load"]`.
    """
    told = {
        "cpu": cpu,
        "memory_bytes": memory_bytes,
        "gpus": None if gpus is None else [gpu.identity() for gpu in gpus],
        "machines": None if machines is None else [dict(machine) for machine in machines],
        "labels": None if labels is None else dict(labels),
        "backend": backend,
        "address": address,
        "bridge_port": bridge_port,
    }
    has: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    new = {"cpu": 0, "memory_bytes": 0, **has, "facts": dict(facts or {})}
    host, created = Host.objects.get_or_create(name=name, defaults=new)
    if host.state == "removed":
        return host
    if host.state == "offline":
        transitions.host_state(host, to="draining" if host.drained else "active")
    before = {field: getattr(host, field) for field in has}
    changes: dict[str, Any] = {field: value for field, value in has.items() if value != before[field]}
    known = _facts(host, gpus, facts)
    Host.objects.filter(pk=host.pk).update(heartbeat_at=Now(), **changes, **({} if known is None else {"facts": known}))
    if created or changes:
        record(
            acting_user=acting_user,
            action=AuditAction.HOST_ANNOUNCED,
            target=Target("host", host.pk, host.name),
            before=None if created else before,
            after=has,
        )
    host.refresh_from_db()
    return host


def _facts(host: Host, gpus: Sequence[Gpu] | None, facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The facts to write, None while those of the row are good enough."""
    kept = {name: value for name, value in host.facts.items() if name not in (LOAD, READ_AT)}
    wanted = kept if facts is None else {**{n: v for n, v in kept.items() if n not in ANNOUNCED}, **facts}
    now, read_at = time.time(), host.facts.get(READ_AT, 0)
    if gpus and now - read_at > LOAD_SECONDS:
        return {**wanted, READ_AT: round(now), LOAD: [gpu.load() for gpu in gpus]}
    if wanted == kept and (gpus is None or gpus or LOAD not in host.facts):
        return None
    keeps = gpus is None or gpus
    return {**wanted, **{name: host.facts[name] for name in (READ_AT, LOAD) if keeps and name in host.facts}}

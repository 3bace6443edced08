"""What a host's watcher does once a second: compares what runs here with what should, and makes the two agree.

Rows are the truth for what should run, the backend for what does. Everything here may be repeated, by several watchers
at once, and may stop at any point: the next tick goes on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import psutil
from django.conf import settings
from django.utils import timezone

from modelwright.compute import placement, services, tasks, transitions
from modelwright.compute.backends.base import Backend, BackendError, Cause, Phase, WorkloadKey, WorkloadStatus
from modelwright.compute.ending import SYSTEM, end_workload
from modelwright.compute.layout import local_backend
from modelwright.compute.models import GIB, Host, Workload
from modelwright.compute.selectors import silent_hosts
from modelwright.compute.states import LIVE_ON_HOST

logger = logging.getLogger(__name__)

# How long a starter is given before the watcher takes its work over. It is the same work, so a race does no harm.
START_GRACE = timedelta(seconds=5)
# What stays for the platform itself.
RESERVED_MEMORY_BYTES = GIB


def tick(host: Host | None = None, backend: Backend | None = None) -> None:
    """One round for this host."""
    host = host or announce_host()
    backend = backend or local_backend()
    # Rows first: what is started after this look has a row that is not in it, and is looked up afresh below.
    rows = list(Workload.objects.filter(host=host, state__in=LIVE_ON_HOST).select_related("environment", "host"))
    found = {status.key: status for status in backend.list()}
    for row in rows:
        key = _key(row)
        status = found.pop(key, None) or backend.status(key)
        _contained(row.pk, partial(_agree, row, status, backend))
    for unexpected in found.values():
        _contained(unexpected.key.workload_id, partial(_unexpected, unexpected, backend))
    Workload.objects.filter(host=host, state__in=LIVE_ON_HOST).update(
        lease_expires_at=timezone.now() + transitions.LEASE
    )
    give_up_silent_hosts()
    wake_queue(backend)


def announce_host() -> Host:
    """Enters this host with what it has for workloads, or renews its heartbeat."""
    cpu = float(os.environ.get("MODELWRIGHT_HOST_CPU") or len(os.sched_getaffinity(0)))
    memory_gib = os.environ.get("MODELWRIGHT_HOST_MEMORY_GIB")
    total = psutil.virtual_memory().total
    memory = int(float(memory_gib) * GIB) if memory_gib else max(total - RESERVED_MEMORY_BYTES, total // 2)
    return services.announce_host(name=settings.HOST_NAME, cpu=cpu, memory_bytes=memory, acting_user=SYSTEM)


def give_up_silent_hosts() -> None:
    """Takes hosts that were silent for a minute as gone: what had not begun is queued again, the rest is lost."""
    for host in silent_hosts():
        if not transitions.host_state(host, to="offline"):
            continue
        logger.warning("host %s has been silent since %s", host.name, host.heartbeat_at)
    # Also for hosts that went offline before a watcher died half way through this.
    gone = Workload.objects.filter(host__state="offline", state__in=LIVE_ON_HOST, lease_expires_at__lt=timezone.now())
    for row in gone.select_related("host"):
        name = row.host.name if row.host else ""
        if row.fence is None or transitions.unplace(row.pk, row.fence, reason=f"Host {name} was lost before it began."):
            continue
        facts = {"detail": f"Host {name} has not been heard from; what became of it is not known."}
        end_workload(row.pk, row.fence, cause=Cause.LOST, facts=facts)


def wake_queue(backend: Backend) -> None:
    """Sees to each queued workload whose turn to be looked at has come, oldest first.

    It sends a message to the workers; where none can be sent, or one was not answered, it does their work itself.
    """
    now = timezone.now()
    due = Workload.objects.filter(state="queued", available_at__lte=now).order_by("queued_at")
    for workload_id, available_at, hinted_at in list(due.values_list("pk", "available_at", "hinted_at")):
        claimed = Workload.objects.filter(pk=workload_id, state="queued", available_at=available_at)
        if not claimed.update(available_at=now + tasks.HINT_ANSWERED_WITHIN, hinted_at=now):
            continue
        if hinted_at is not None or not tasks.send_hint(workload_id):
            _contained(workload_id, partial(placement.place_and_start, workload_id, backend))


def _agree(row: Workload, status: WorkloadStatus | None, backend: Backend) -> None:
    """One live row of this host and what the host knows of it."""
    assert row.fence is not None  # noqa: S101 - a live row has a placement
    if status is None:
        _not_there(row, backend)
        return
    if status.phase is Phase.ENDED:
        if status.cause is Cause.LOST:
            backend.stop(status.key)
        end_workload(row.pk, row.fence, cause=status.cause or Cause.LOST, facts=_facts(status))
        return
    if row.cancel_requested_at is not None:
        backend.stop(status.key, message=f"Cancelled by {row.cancel_requested_by}.")
    if status.phase is Phase.RUNNING and row.state == "starting":
        started_at = _moment(status.started_at) or timezone.now()
        transitions.mark_running(row.pk, row.fence, started_at=started_at)


def _not_there(row: Workload, backend: Backend) -> None:
    if row.cancel_requested_at is not None:
        backend.stop(_key(row), message=f"Cancelled by {row.cancel_requested_by} before it started.")
    if row.placed_at is not None and timezone.now() - row.placed_at < START_GRACE:
        return
    if row.state == "running":
        # It was seen running, and even its record is gone.
        facts = {"detail": "Its folder on the host has disappeared; what became of it is not known."}
        end_workload(row.pk, row.fence, cause=Cause.LOST, facts=facts)
        return
    if row.state == "placed" and not transitions.begin_start(row.pk, row.fence or 0):
        return
    placement.start(row, backend)


def _unexpected(status: WorkloadStatus, backend: Backend) -> None:
    """Something of this host that no live row of the first look stands for."""
    row = Workload.objects.filter(pk=UUID(status.key.workload_id)).first()
    if row is not None and row.fence == status.key.fence and not row.is_ended:
        return  # Placed since that look.
    if status.phase is not Phase.ENDED:
        logger.warning("workload %s has no place in the database and is stopped", status.key.name)
        backend.stop(status.key, cause=Cause.LOST, message="The platform had given it up.")
    elif row is None or row.fence != status.key.fence or row.collected_at is not None:
        backend.remove(status.key, keep_record=row is not None and row.fence == status.key.fence)


def _contained(subject: object, step: Callable[[], None]) -> None:
    """One workload's trouble must not keep the others from being looked after."""
    try:
        step()
    except (BackendError, OSError, ValueError):
        logger.exception("watching workload %s", subject)


def _key(row: Workload) -> WorkloadKey:
    return WorkloadKey(str(row.pk), row.fence or 0)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _facts(status: WorkloadStatus) -> dict[str, object]:
    facts: dict[str, object] = {
        "exit_code": status.exit_code,
        "signal": status.signal,
        "detail": status.message,
        "peak_memory_bytes": status.peak_memory_bytes,
    }
    if status.started_at is not None:
        facts["started_at"] = _moment(status.started_at)
    if status.finished_at is not None:
        facts["finished_at"] = _moment(status.finished_at)
    return facts

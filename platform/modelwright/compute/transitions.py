"""The only code that writes `state`. Each is one conditional UPDATE; False means that somebody else was first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import DateTimeField, QuerySet, Value
from django.db.models.functions import Greatest, Now
from django.utils import timezone

from modelwright.compute import states
from modelwright.compute.models import Environment, EnvironmentCopy, EnvironmentRequest, Host, Workload
from modelwright.core.states import move

# Not longer than a silent host is waited for (`selectors.HEARTBEAT_LIMIT`).
LEASE = timedelta(seconds=45)


def _fenced(workload_id: UUID, fence: int | None) -> QuerySet[Workload]:
    return Workload.objects.filter(pk=workload_id, fence=fence)


def next_fence() -> int:
    """A number that no placement had before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('compute_fence')")
        row = cursor.fetchone()
    return int(row[0])


def place(
    workload: Workload, host: Host, *, environment: Environment | None, gpu_indexes: Sequence[int] = ()
) -> int | None:
    """Gives the queued workload to the host, and it the GPUs; its new fence, None when it is not queued any more."""
    fence = next_fence()
    moved = move(
        Workload.objects.filter(pk=workload.pk),
        machine=states.WORKLOAD,
        to="placed",
        fence=fence,
        host=host,
        environment=environment,
        gpu_indexes=list(gpu_indexes),
        placed_at=timezone.now(),
        lease_expires_at=Now() + LEASE,
        waiting_reason="",
    )
    return fence if moved else None


def unplace(workload_id: UUID, fence: int, *, reason: str) -> bool:
    """Puts back into the queue what was placed and not begun, because its host is gone."""
    return move(
        _fenced(workload_id, fence).filter(state="placed"),
        machine=states.WORKLOAD,
        to="queued",
        fence=None,
        host=None,
        gpu_indexes=[],
        placed_at=None,
        lease_expires_at=None,
        waiting_reason=reason,
        available_at=timezone.now(),
        hinted_at=None,
    )


@transaction.atomic
def renew_leases(host: Host) -> int:
    """What is on the host goes on being looked after; how many those are. By the database's clock.

    Whoever holds one of them for long, as a process that was stopped does, keeps the host from no sign of life: that
    one is passed over, and its lease matters only once the host itself is silent.
    """
    live = Workload.objects.filter(host=host, state__in=states.LIVE_ON_HOST)
    free = live.select_for_update(skip_locked=True).values("pk")
    return Workload.objects.filter(pk__in=free).update(lease_expires_at=Now() + LEASE)


def begin_start(workload_id: UUID, fence: int) -> bool:
    """From now on its process may exist. Must be committed before the backend is called."""
    return move(_fenced(workload_id, fence), machine=states.WORKLOAD, to="starting")


def _not_before_placement(moment: datetime) -> Greatest:
    """The moment by the host's clock, which may be behind: nothing began or ended before it was placed."""
    return Greatest(Value(moment, output_field=DateTimeField()), "placed_at")


def mark_running(workload_id: UUID, fence: int, *, started_at: datetime) -> bool:
    """Its process was seen."""
    changes = {"started_at": _not_before_placement(started_at), "waiting_reason": ""}
    return move(_fenced(workload_id, fence), machine=states.WORKLOAD, to="running", **changes)


def end(workload_id: UUID, fence: int | None, *, cause: str, facts: Mapping[str, Any]) -> bool:
    """The workload is over. `facts` are columns: exit_code, signal, detail, peak_memory_bytes, started_at."""
    values = {"finished_at": timezone.now(), **facts}
    values.update(secrets="", waiting_reason="", lease_expires_at=None)
    for name in ("started_at", "finished_at"):
        if values.get(name) is not None:
            values[name] = _not_before_placement(values[name])
    return move(_fenced(workload_id, fence), machine=states.WORKLOAD, to=cause, **values)


def environment_ready(request: EnvironmentRequest, *, environment: Environment, reason: str) -> bool:
    """The requirements have an environment that can be used."""
    return move(
        EnvironmentRequest.objects.filter(pk=request.pk),
        machine=states.ENVIRONMENT_REQUEST,
        to="ready",
        environment=environment,
        reason=reason,
        error="",
        remedy="",
        ready_at=timezone.now(),
    )


def environment_failed(request: EnvironmentRequest, *, error: str, remedy: str) -> bool:
    """The requirements led to no environment."""
    return move(
        EnvironmentRequest.objects.filter(pk=request.pk),
        machine=states.ENVIRONMENT_REQUEST,
        to="failed",
        error=error,
        remedy=remedy,
    )


def environment_building(request: EnvironmentRequest) -> bool:
    """A build is under way again, after a failure or because the files are gone."""
    return move(EnvironmentRequest.objects.filter(pk=request.pk), machine=states.ENVIRONMENT_REQUEST, to="building")


def environment_present(environment: Environment, *, present: bool) -> bool:
    """The files of the environment are there (again), or are there no more."""
    to = "ready" if present else "removed"
    return move(Environment.objects.filter(pk=environment.pk), machine=states.ENVIRONMENT, to=to)


def copy_building(copy: EnvironmentCopy, *, workload: Workload) -> bool:
    """The copy is being made, by this workload."""
    return _copy(copy, "building", workload=workload, error="", remedy="", ready_at=None)


def copy_ready(copy: EnvironmentCopy, *, image: str = "") -> bool:
    """The host has the environment, as a folder or as this image."""
    return _copy(copy, "ready", image=image, error="", remedy="", ready_at=timezone.now())


def copy_failed(copy: EnvironmentCopy, *, error: str, remedy: str) -> bool:
    """The host could not make the environment."""
    return _copy(copy, "failed", error=error, remedy=remedy)


def copy_removed(copy: EnvironmentCopy) -> bool:
    """The host has the environment no more."""
    return _copy(copy, "removed")


def _copy(copy: EnvironmentCopy, to: str, **changes: Any) -> bool:
    return move(EnvironmentCopy.objects.filter(pk=copy.pk), machine=states.ENVIRONMENT_COPY, to=to, **changes)


def host_state(host: Host, *, to: str) -> bool:
    """The host takes workloads, takes no more, or is gone."""
    return move(Host.objects.filter(pk=host.pk).exclude(state="removed"), machine=states.HOST, to=to)


def host_offline(host: Host, *, silent: QuerySet[Host]) -> bool:
    """The host is gone, if it still is one of the `silent`: it may have spoken up since they were looked for."""
    return move(silent.filter(pk=host.pk), machine=states.HOST, to="offline")


def rejoin_host(host: Host, **facts: Any) -> bool:
    """A removed host joins again, with what is known of it now. False for one that is not removed."""
    return move(Host.objects.filter(pk=host.pk, state="removed"), machine=states.HOST, to="active", **facts)

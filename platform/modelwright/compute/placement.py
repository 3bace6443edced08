"""Finds a host for a queued workload, and starts what is placed on this one. Every step may be repeated."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from modelwright.compute import transitions
from modelwright.compute.backends.base import Backend, BackendError, Cause, UnavailableError
from modelwright.compute.ending import end_workload
from modelwright.compute.models import GIB, Environment, EnvironmentRequest, Host, Workload
from modelwright.compute.selectors import Room, free_room
from modelwright.compute.specs import make_spec
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)

# A workload that waited so long is not overtaken by smaller ones any more.
PATIENCE = timedelta(minutes=5)
# Ends of other workloads wake the queue at once; this is for whatever they do not announce, such as a larger host.
LOOK_AGAIN = timedelta(seconds=10)


def place_and_start(workload_id: UUID, backend: Backend) -> None:
    """Places the queued workload if it can be, and starts it when it is placed on this host."""
    workload = place(workload_id)
    if workload is not None and workload.host is not None and workload.host.name == settings.HOST_NAME:
        start(workload, backend)


@transaction.atomic
def place(workload_id: UUID) -> Workload | None:
    """Reserves a host for the workload and begins its start when that host is this one. None when it goes on waiting.

    Writes on the row why it waits.
    """
    workload = (
        Workload.objects.select_related("environment_request__environment", "environment")
        .filter(pk=workload_id, state="queued")
        .first()
    )
    if workload is None:
        return None
    usable, environment = _environment(workload)
    if not usable:
        return None
    # The order of locking is the same for all, and whoever holds them sees all reservations.
    hosts = list(Host.objects.select_for_update().filter(state="active").order_by("pk"))
    rooms = [(host, free_room(host)) for host in hosts]
    fitting = [(room.memory_bytes, host) for host, room in rooms if room.fits(workload.cpu, workload.memory_bytes)]
    ahead = _ahead(workload)
    starving = ahead.filter(queued_at__lt=timezone.now() - PATIENCE).exists()
    if not fitting or starving:
        _wait(workload, _waiting_reason(workload, rooms, ahead.count(), starving=starving and bool(fitting)))
        return None
    chosen = max(fitting, key=lambda pair: pair[0])[1]
    fence = transitions.place(workload, chosen, environment=environment)
    if fence is None:
        return None
    request = workload.environment_request
    if request is not None and not workload.environment_note:
        Workload.objects.filter(pk=workload.pk).update(environment_note=request.reason)
    if chosen.name == settings.HOST_NAME:
        transitions.begin_start(workload.pk, fence)
    return Workload.objects.select_related("environment", "host").get(pk=workload.pk)


def start(workload: Workload, backend: Backend) -> None:
    """Hands the workload, whose start has begun, to this host's backend. Its failure ends the workload.

    A backend that nobody answers for is no failure: the watcher tries again.
    """
    try:
        backend.start(make_spec(workload))
    except UnavailableError as error:
        logger.warning("workload %s could not be started yet: %s", workload.pk, error)
    except (BackendError, PlatformError, OSError) as error:
        logger.warning("workload %s could not be started: %s", workload.pk, error)
        end_workload(workload.pk, workload.fence, cause=Cause.FAILED, facts={"detail": str(error)})


def _environment(workload: Workload) -> tuple[bool, Environment | None]:
    """(whether it need not wait for an environment, which one it is)."""
    request = workload.environment_request
    if request is None:
        return True, workload.environment
    if request.state == "failed":
        end_workload(workload.pk, None, cause=Cause.FAILED, facts={"detail": build_failure(request)})
        return False, None
    if request.state != "ready":
        _wait(workload, "Its environment is being built.")
        return False, None
    if request.environment is not None and request.environment.state == "removed":
        detail = "The files of its environment were removed while it waited. Start it again: that builds them."
        end_workload(workload.pk, None, cause=Cause.FAILED, facts={"detail": detail})
        return False, None
    return True, request.environment


def build_failure(request: EnvironmentRequest) -> str:
    """What the author of the requirements reads on everything that waited for their environment."""
    return f"Its environment could not be built.\n{request.error}\n{request.remedy}".strip()


def _wait(workload: Workload, reason: str) -> None:
    changes = {"waiting_reason": reason, "available_at": timezone.now() + LOOK_AGAIN, "hinted_at": None}
    Workload.objects.filter(pk=workload.pk, state="queued").update(**changes)


def _ahead(workload: Workload) -> QuerySet[Workload]:
    """Those that were queued earlier and wait for room alone."""
    ready = Q(environment_request=None) | Q(environment_request__state="ready")
    return Workload.objects.filter(ready, state="queued", queued_at__lt=workload.queued_at).exclude(pk=workload.pk)


def _waiting_reason(workload: Workload, rooms: list[tuple[Host, Room]], ahead: int, *, starving: bool) -> str:
    parts = [f"It needs {_size(workload.cpu, workload.memory_bytes)}"]
    if not rooms:
        parts.append("no host is active: start the watcher of a host, or activate one")
    parts.extend(f"host {host.name} has {_size(room.cpu, room.memory_bytes)} free" for host, room in rooms)
    if starving:
        parts.append("one ahead of it has waited for long and comes first")
    if ahead:
        parts.append(f"{ahead} {'is' if ahead == 1 else 'are'} ahead of it")
    return "; ".join(parts) + "."


def _size(cpu: float, memory_bytes: int) -> str:
    cpus = max(cpu, 0)
    return f"{cpus:g} CPU{'' if cpus == 1 else 's'} and {max(memory_bytes, 0) / GIB:.3g} GiB"

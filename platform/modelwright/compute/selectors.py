"""What may be seen of hosts, environments and workloads, and how much of a host is free."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.compute.layout import log_file
from modelwright.compute.models import Environment, EnvironmentRequest, Host, ResourceProfile, Workload
from modelwright.compute.states import ENDS, LIVE_ON_HOST
from modelwright.core.errors import NotFound

LOG_CHUNK_BYTES = 128 * 1024
HEARTBEAT_LIMIT = timedelta(seconds=60)


@dataclass(frozen=True)
class Room:
    """CPU and memory."""

    cpu: float
    memory_bytes: int

    def fits(self, cpu: float, memory_bytes: int) -> bool:
        """Whether so much finds room here; a thousandth of a CPU is rounding."""
        return cpu <= self.cpu + 0.001 and memory_bytes <= self.memory_bytes


def free_room(host: Host) -> Room:
    """What the live workloads of the host leave of it."""
    used = Workload.objects.filter(host=host, state__in=LIVE_ON_HOST).aggregate(
        cpu=Sum("cpu", default=0.0), memory=Sum("memory_bytes", default=0)
    )
    return Room(round(host.cpu - used["cpu"], 3), host.memory_bytes - int(used["memory"]))


def hosts() -> QuerySet[Host]:
    """All hosts with the number of their live workloads (`live`); every signed-in person may know them."""
    live = Count("workloads", filter=Q(workloads__state__in=LIVE_ON_HOST))
    return Host.objects.annotate(live=live).order_by("name")


def host(host_id: UUID) -> Host:
    """Raises NotFound."""
    found = hosts().filter(pk=host_id).first()
    if found is None:
        raise NotFound("There is no such host.", remedy="See the list of hosts.")
    return found


def profiles() -> QuerySet[ResourceProfile]:
    """All sizes, smallest first; every signed-in person may know them."""
    return ResourceProfile.objects.order_by("memory_bytes", "cpu")


def profile(name: str) -> ResourceProfile:
    """The size called `name`. Raises NotFound, which lists the sizes that there are."""
    found = ResourceProfile.objects.filter(name=name).first()
    if found is None:
        names = ", ".join(profiles().values_list("name", flat=True))
        raise NotFound(f"There is no resource profile called {name!r}.", remedy=f"Choose one of: {names}.")
    return found


def environments() -> QuerySet[Environment]:
    """All environments, newest first, with the number of workloads that used them (`uses`).

    A lock names public packages and nothing of a project, so every signed-in person may see it.
    """
    return Environment.objects.annotate(uses=Count("workloads")).select_related("build").order_by("-id")


def environment(environment_id: UUID) -> Environment:
    """Raises NotFound."""
    found = environments().filter(pk=environment_id).first()
    if found is None:
        raise NotFound("There is no such environment.", remedy="See the list of environments.")
    return found


def environment_request(request_id: UUID) -> EnvironmentRequest | None:
    """For upper rooms, which scope by what they attach it to."""
    return EnvironmentRequest.objects.select_related("environment", "workload").filter(pk=request_id).first()


def workloads(viewer: User) -> QuerySet[Workload]:
    """All workloads of the installation, newest first. Raises PermissionRefused unless the viewer has a site role.

    People see workloads through the run, endpoint or version that they belong to.
    """
    require_site(viewer, Permission.AUDIT_READ)
    return Workload.objects.select_related("host", "environment").order_by("-id")


def workload(viewer: User, workload_id: UUID) -> Workload:
    """Raises NotFound, and PermissionRefused unless the viewer has a site role."""
    found = workloads(viewer).filter(pk=workload_id).first()
    if found is None:
        raise NotFound("There is no such workload.", remedy="See the list of workloads.")
    return found


def uncollected(kind: str) -> QuerySet[Workload]:
    """Ended workloads of the kind whose results are this host's to take and not taken yet, oldest first."""
    here = Q(host=None) | Q(host__name=settings.HOST_NAME) | Q(host__state="offline")
    return (
        Workload.objects.filter(here, kind=kind, state__in=ENDS, collected_at=None)
        .select_related("host", "environment")
        .order_by("finished_at")
    )


def silent_hosts() -> QuerySet[Host]:
    """Hosts that should be heard from and were not for a minute."""
    return Host.objects.exclude(state="offline").filter(heartbeat_at__lt=timezone.now() - HEARTBEAT_LIMIT)


def read_log(workload: Workload, offset: int = 0) -> tuple[str, int, bool]:
    """(text, next offset, finished) of the workload's log from the byte `offset`, at most 128 KiB at once.

    `finished` says that no more will come: the workload is over and the text reaches the end of the log.
    The text is as the workload wrote it: escape it before showing it.
    """
    path = log_file(workload)
    try:
        if path is None:
            raise FileNotFoundError
        with path.open("rb") as stream:
            stream.seek(max(offset, 0))
            data = stream.read(LOG_CHUNK_BYTES)
    except FileNotFoundError:
        return "", offset, workload.is_ended
    finished = workload.is_ended and len(data) < LOG_CHUNK_BYTES
    if not finished:
        data = data[: _whole_characters(data)]
    return data.decode("utf-8", errors="replace"), offset + len(data), finished


def log_tail(workload: Workload, lines: int = 20) -> str:
    """The last lines of the workload's log, empty when there is none."""
    path = log_file(workload)
    if path is None or not path.exists():
        return ""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - LOG_CHUNK_BYTES))
        text = stream.read().decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _whole_characters(data: bytes) -> int:
    """How many bytes are left when a UTF-8 character that is cut at the end is left for the next read."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return len(data) - back if length > back else len(data)
    return len(data)

"""What workspaces may use at the same time, and what they use now. Rooms above say it; see `WORKSPACE_ALLOWANCES`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.utils.module_loading import import_string

from modelwright.compute.models import GIB, Host, Workload
from modelwright.compute.rooms import ROUNDING, Room, usable_gpus
from modelwright.compute.states import LIVE_ON_HOST


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits of one workspace; None is no limit. Its workloads go only to hosts that have all of `labels`."""

    name: str = ""
    cpu: float | None = None
    memory_bytes: int | None = None
    gpus: int | None = None
    runs: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Usage:
    """What the live workloads of one workspace have reserved."""

    cpu: float = 0.0
    memory_bytes: int = 0
    gpus: int = 0
    runs: int = 0

    def add(self, workload: Workload) -> None:
        """Counts one more."""
        self.cpu = round(self.cpu + workload.cpu, 3)
        self.memory_bytes += workload.memory_bytes
        self.gpus += workload.gpus
        self.runs += workload.kind == Workload.Kind.RUN

    def share(self, allowance: Allowance, total: Room) -> float:
        """The largest part that it has of anything: of the workspace's limit, or of all hosts where it has none."""
        parts = (
            (self.cpu, allowance.cpu or total.cpu),
            (self.memory_bytes, allowance.memory_bytes or total.memory_bytes),
            (self.gpus, allowance.gpus or len(total.gpus)),
        )
        return max((used / whole for used, whole in parts if whole), default=0.0)


NO_LIMITS = Allowance()


def allowances(workspace_ids: Iterable[UUID]) -> dict[UUID, Allowance]:
    """The limits of these workspaces."""
    found: dict[UUID, Allowance] = import_string(settings.WORKSPACE_ALLOWANCES)(set(workspace_ids))
    return found


def usages() -> dict[UUID | None, Usage]:
    """What each workspace uses now; the platform's own work stands under None."""
    live = Workload.objects.filter(state__in=LIVE_ON_HOST).values_list("workspace_id")
    sums = live.annotate(
        cpu=Sum("cpu"), memory=Sum("memory_bytes"), gpus=Sum("gpus"), runs=Count("pk", Q(kind=Workload.Kind.RUN))
    )
    return {key: Usage(round(cpu, 3), int(memory), int(gpus), runs) for key, cpu, memory, gpus, runs in sums}


def total_room(hosts: Iterable[Host]) -> Room:
    """All that these hosts have together; of its GPUs only the number means something."""
    hosts = list(hosts)
    gpus = tuple(index for host in hosts for index in usable_gpus(host))
    return Room(sum(host.cpu for host in hosts), sum(host.memory_bytes for host in hosts), gpus)


def never_fits(allowance: Allowance, workload: Workload) -> bool:
    """Whether the workload is larger than a limit of its workspace alone."""
    asked = (workload.cpu - ROUNDING, workload.memory_bytes, workload.gpus)
    limits = (allowance.cpu, allowance.memory_bytes, allowance.gpus)
    return any(limit is not None and value > limit for value, limit in zip(asked, limits, strict=True))


def over_limit(allowance: Allowance, used: Usage, workload: Workload) -> str:
    """Which limit of its workspace keeps the workload waiting, in words; empty for none."""
    if allowance.cpu is not None and used.cpu + workload.cpu > allowance.cpu + ROUNDING:
        return f"{used.cpu:g} of {allowance.cpu:g} CPUs are in use and it needs {workload.cpu:g}"
    if allowance.memory_bytes is not None and used.memory_bytes + workload.memory_bytes > allowance.memory_bytes:
        have, limit = used.memory_bytes / GIB, allowance.memory_bytes / GIB
        return f"{have:.3g} of {limit:.3g} GiB are in use and it needs {workload.memory_bytes / GIB:.3g}"
    if allowance.gpus is not None and used.gpus + workload.gpus > allowance.gpus and workload.gpus:
        return f"{used.gpus} of {allowance.gpus} GPUs are in use and it needs {workload.gpus}"
    if allowance.runs is not None and workload.kind == Workload.Kind.RUN and used.runs >= allowance.runs:
        return f"{used.runs} of {allowance.runs} runs are going"
    return ""

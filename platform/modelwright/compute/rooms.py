"""How much of a host is free, and what fits there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Sum

from modelwright.compute.models import Host, Workload
from modelwright.compute.states import LIVE_ON_HOST

# A thousandth of a CPU is rounding.
ROUNDING = 0.001


@dataclass(frozen=True, slots=True)
class Room:
    """CPU, memory, and the indexes of GPUs."""

    cpu: float
    memory_bytes: int
    gpus: tuple[int, ...] = ()

    def fits(self, cpu: float, memory_bytes: int, gpus: int = 0) -> bool:
        """Whether so much finds room here."""
        return cpu <= self.cpu + ROUNDING and memory_bytes <= self.memory_bytes and gpus <= len(self.gpus)

    def less(self, cpu: float, memory_bytes: int, gpus: Iterable[int] = ()) -> Room:
        """What is left of it when so much is taken."""
        taken = set(gpus)
        left = tuple(index for index in self.gpus if index not in taken)
        return Room(round(self.cpu - cpu, 3), self.memory_bytes - memory_bytes, left)


def usable_gpus(host: Host) -> tuple[int, ...]:
    """Indexes of the host's GPUs that can be given out: not those that do not answer, nor those with MIG on."""
    return tuple(gpu["index"] for gpu in host.gpus if not gpu.get("problem") and not gpu.get("mig"))


def whole_room(host: Host) -> Room:
    """All that the host has for workloads."""
    return Room(host.cpu, host.memory_bytes, usable_gpus(host))


def machine_rooms(host: Host) -> list[tuple[Mapping[str, Any], Room]]:
    """The machines of a swarm and what each can have for one workload, within what the host may give."""
    usable = usable_gpus(host)
    return [
        (
            machine,
            Room(
                min(machine["cpu"], host.cpu),
                min(machine["memory_bytes"], host.memory_bytes),
                usable[: machine["gpus"]],
            ),
        )
        for machine in host.machines
    ]


def largest_of(hosts: Sequence[Host]) -> tuple[str, Room]:
    """Which of the hosts could give most to one workload, in words, and how much: of a swarm its largest machine."""
    found = [(host.name, whole_room(host)) for host in hosts if not host.machines]
    found += [(f"a machine of {host.name}", room) for host in hosts for _, room in machine_rooms(host)]
    return max(found, key=lambda each: (len(each[1].gpus), each[1].memory_bytes, each[1].cpu))


def free_rooms(hosts: Iterable[Host]) -> dict[UUID, Room]:
    """What the live workloads of each host leave of it, by the host's id; two queries for all of them."""
    rooms = {host.pk: whole_room(host) for host in hosts}
    live = Workload.objects.filter(host__in=rooms, state__in=LIVE_ON_HOST)
    for host_id, cpu, memory in live.values_list("host").annotate(cpu=Sum("cpu"), memory=Sum("memory_bytes")):
        rooms[host_id] = rooms[host_id].less(cpu, int(memory))
    for host_id, indexes in live.filter(gpus__gt=0).values_list("host", "gpu_indexes"):
        rooms[host_id] = rooms[host_id].less(0, 0, indexes)
    return rooms


def free_room(host: Host) -> Room:
    """What the live workloads of the host leave of it."""
    return free_rooms([host])[host.pk]


def gpu_holders(host: Host) -> dict[int, Workload]:
    """Who has each of the host's GPUs now, by index."""
    live = Workload.objects.filter(host=host, state__in=LIVE_ON_HOST, gpus__gt=0).defer("spec", "secrets")
    return {index: workload for workload in live for index in workload.gpu_indexes}

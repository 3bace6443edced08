"""Which hosts are good enough for a workload, and which of them is the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from modelwright.compute.models import Host, Workload
from modelwright.compute.rooms import Room, machine_rooms, usable_gpus, whole_room


@dataclass(frozen=True, slots=True)
class Need:
    """What a workload asks of a host."""

    cpu: float
    memory_bytes: int
    gpus: int
    labels: Mapping[str, str]
    pinned_host_id: UUID | None
    in_container: bool = False
    # `Workload.Kind`, empty where that is not known yet.
    kind: str = ""
    # Those of `labels` that its size asks for: of a swarm the very machine must have them.
    own_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[object, ...]:
        """The same for all that ask for the same."""
        return (
            self.cpu,
            self.memory_bytes,
            self.gpus,
            self.pinned_host_id,
            self.in_container,
            self.kind,
            *sorted(self.labels.items()),
            *sorted(self.own_labels.items()),
        )

    @property
    def suits_swarms(self) -> bool:
        """What a task of a swarm writes goes with it: models alone run there, and what is built for that very host."""
        return self.kind in ("", Workload.Kind.REPLICA) or self.pinned_host_id is not None

    def fits(self, room: Room) -> bool:
        """Whether the room is large enough."""
        return room.fits(self.cpu, self.memory_bytes, self.gpus)

    def left_of(self, room: Room) -> tuple[int, float]:
        """(GPUs, the larger of the parts of CPU and memory) that would stay free of the room: small is a good fit."""
        cpu = (room.cpu - self.cpu) / room.cpu if room.cpu > 0 else 0.0
        memory = (room.memory_bytes - self.memory_bytes) / room.memory_bytes if room.memory_bytes > 0 else 0.0
        return len(room.gpus) - self.gpus, max(cpu, memory)


def need_of(workload: Workload, labels: Mapping[str, str], *, in_container: bool) -> Need:
    """What the workload asks for, together with the labels that its workspace is bound to."""
    return Need(
        workload.cpu,
        workload.memory_bytes,
        workload.gpus,
        {**labels, **workload.labels},
        workload.pinned_host_id,
        in_container=in_container,
        kind=workload.kind,
        own_labels=workload.labels,
    )


def missing_labels(host: Host, labels: Mapping[str, str]) -> dict[str, str]:
    """Those that the host has not, or has with another value; of a swarm, those that its best machine lacks."""
    machines = [_lacking({**host.labels, **machine["labels"]}, labels) for machine in host.machines]
    return min(machines, key=len, default=_lacking(host.labels, labels))


def _lacking(has: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if has.get(name) != value}


def could_hold(host: Host, need: Need) -> bool:
    """Whether the host would be good enough if nothing else ran there."""
    if need.pinned_host_id is not None and host.pk != need.pinned_host_id:
        return False
    if need.in_container and host.backend == Host.Backend.PROCESS:
        return False
    if host.backend == Host.Backend.SWARM and not need.suits_swarms:
        return False
    if not need.fits(whole_room(host)):
        return False
    if not host.machines:
        return not missing_labels(host, need.labels)
    return any(_machine_suits(host, machine["labels"], room, need) for machine, room in machine_rooms(host))


def _machine_suits(host: Host, labels: Mapping[str, str], room: Room, need: Need) -> bool:
    """The swarm puts a workload on one machine, which has what its size asks for by itself."""
    is_labelled = not _lacking({**host.labels, **labels}, need.labels) and not _lacking(labels, need.own_labels)
    return need.fits(room) and is_labelled


def choose_from(hosts: Iterable[Host], rooms: Mapping[UUID, Room], need: Need) -> list[Host]:
    """Those of the hosts that have room now, best first.

    The rules: replicas go to a swarm wherever one fits, since it starts them elsewhere when their machine fails. Work
    without GPUs goes to hosts without GPUs wherever one fits, so that hosts with GPUs stay for whoever needs them;
    hosts with GPUs are then not in the list at all. Then the best fit: the host on which least stays free (GPUs first,
    then the larger of the parts of CPU and memory), so that large rooms stay whole for large work.
    """
    fitting = [host for host in hosts if need.fits(rooms[host.pk])]
    if need.kind == Workload.Kind.REPLICA:
        fitting = [host for host in fitting if host.backend == Host.Backend.SWARM] or fitting
    if not need.gpus and need.pinned_host_id is None:
        fitting = [host for host in fitting if not usable_gpus(host)] or fitting
    return sorted(fitting, key=lambda host: (*need.left_of(rooms[host.pk]), host.name))


def nearest_first(hosts: Iterable[Host], rooms: Mapping[UUID, Room], need: Need) -> list[Host]:
    """The hosts in the order in which the workload is likely to find room there: where least is lacking comes first."""

    def has(host: Host) -> float:
        room = rooms[host.pk]
        parts = [room.cpu / need.cpu, room.memory_bytes / need.memory_bytes]
        return min([*parts, len(room.gpus) / need.gpus] if need.gpus else parts)

    return sorted(hosts, key=lambda host: (-has(host), host.name))

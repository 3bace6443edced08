"""Why a workload waits, in words for the page of whoever started it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from modelwright.compute.fitting import Need, missing_labels
from modelwright.compute.forecast import Wait
from modelwright.compute.models import EnvironmentCopy, Host, Workload
from modelwright.compute.rooms import Room, largest_of
from modelwright.compute.words import label_words, size_words, time_words

# More hosts than these are counted and not named.
NAMED_HOSTS = 3
PATIENT_ONE = "one ahead of it has waited for long and comes first"


def for_room(need: Need, hosts: Sequence[Host], rooms: Mapping[UUID, Room], *, ahead: int, kept: bool) -> str:
    """It waits for room on one of `hosts`, which could hold it. `kept`: there is room, for one who waited longer."""
    parts = [f"It needs {size_words(need.cpu, need.memory_bytes, need.gpus)}"]
    for host in hosts[:NAMED_HOSTS]:
        room = rooms[host.pk]
        has = size_words(room.cpu, room.memory_bytes, len(room.gpus), always_gpus=bool(need.gpus))
        parts.append(f"host {host.name} has {has} free")
    if len(hosts) > NAMED_HOSTS:
        more = len(hosts) - NAMED_HOSTS
        parts.append(f"{more} more host{' has' if more == 1 else 's have'} no room either")
    if kept:
        parts.append(PATIENT_ONE)
    if ahead:
        parts.append(f"{ahead} {'is' if ahead == 1 else 'are'} ahead of it")
    return "; ".join(parts) + "."


def for_a_host(need: Need, hosts: Sequence[Host]) -> str:
    """No active host is good enough, and nobody knows whether one will come."""
    size = size_words(need.cpu, need.memory_bytes, need.gpus)
    if not hosts:
        return f"It needs {size}; no host is active: start the watcher of a host, or activate one."
    if need.pinned_host_id is not None:
        pinned = [host for host in hosts if host.pk == need.pinned_host_id]
        if not pinned:
            return "The host that it must run on is not active. Nobody can know how long it waits."
        hosts = pinned
    if need.in_container:
        hosts = [host for host in hosts if host.backend != Host.Backend.PROCESS]
        if not hosts:
            return "It names a ready image, and no active host runs containers. Nobody can know how long it waits."
    if not need.suits_swarms:
        hosts = [host for host in hosts if host.backend != Host.Backend.SWARM]
        if not hosts:
            return (
                "Only a swarm is active, and a swarm runs models alone. It begins once a host whose workloads are "
                "processes or containers is active: Hosts → Add a host, or activate one."
            )
    labelled = [host for host in hosts if not missing_labels(host, need.labels)]
    if not labelled:
        return f"It needs a host with {label_words(need.labels)}, and no active host has that."
    name, room = largest_of(labelled)
    has = size_words(room.cpu, room.memory_bytes, len(room.gpus), always_gpus=bool(need.gpus))
    such = f" with {label_words(need.labels)}" if need.labels else ""
    return f"It needs {size}; no active host{such} is that large: the largest, {name}, has {has}."


def for_limit(workspace: str, why: str, next_end: Wait | None) -> str:
    """Its workspace is at a limit. `next_end` is when the next of its workloads ends."""
    said = f"The workspace {workspace} is at its limit: {why}. It starts when others of the workspace have ended"
    if next_end is None:
        return f"{said}; nobody can know when."
    return f"{said}; the next ends in {'about' if next_end.sure else 'at most'} {time_words(next_end.seconds)}."


def for_higher_limit(workspace: str, why: str) -> str:
    """It is larger than a limit of its workspace alone."""
    return (
        f"It is larger than the limit of the workspace {workspace} allows: {why}. It starts only when an administrator "
        "of the installation raises the limit; cancel it, or ask for that."
    )


def for_build(build: Workload | None, seconds: float | None) -> str:
    """Its environment is resolved and built for the first time."""
    if build is not None and build.state == "queued" and build.waiting_reason:
        return f"Its environment waits to be built: {_lower(build.waiting_reason)}"
    usual = "" if seconds is None else f" That usually takes about {time_words(seconds)}."
    return f"Its environment is being built.{usual}"


def for_copy(copy: EnvironmentCopy, host: Host, seconds: float | None) -> str:
    """The host that it goes to does not have its environment yet."""
    build = copy.workload
    usual = "" if seconds is None else f" That usually takes about {time_words(seconds)}."
    if build is None or build.placed_at is None:
        why = f", because {_lower(build.waiting_reason)}" if build is not None and build.waiting_reason else "."
        return f"Host {host.name} is about to prepare its environment{why}{usual}"
    return f"Host {host.name} is preparing its environment (building since {build.placed_at:%H:%M:%S} UTC).{usual}"


def failed_copies(copies: Iterable[tuple[Host, EnvironmentCopy]]) -> str:
    """No host that fits could make its environment."""
    said = "\n".join(f"Host {host.name}: {copy.error}\n{copy.remedy}".strip() for host, copy in copies)
    return f"Its environment could not be prepared on any host that is good enough for it.\n{said}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]

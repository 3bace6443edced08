"""Queues the workload that resolves requirements and builds their environment, on whatever host has room."""

from __future__ import annotations

from modelwright.accounts.actors import Actor
from modelwright.compute.models import GIB, Host, Workload
from modelwright.compute.services.workloads import create_workload

BUILD_CPU = 1.0
BUILD_MEMORY_BYTES = 2 * GIB
BUILD_TIMEOUT_SECONDS = 1800


def queue_build(*, name: str, source: str, text: str, python: str, acting_user: Actor) -> Workload:
    """A build of what the text asks for, as the file `source` would."""
    # One that has just joined has not said yet what it has.
    hosts = list(Host.objects.exclude(state__in=("offline", "removed")).filter(cpu__gt=0, memory_bytes__gt=0))
    return create_workload(
        kind=Workload.Kind.ENVIRONMENT,
        name=name,
        command=[
            "{host-python}",
            "-I",
            # Which of the two programs it is depends on what the host runs workloads as.
            "{platform}/compute/environments/{builder}.py",
            *("--source", source, "--python", python),
            *("--environments", "{environments}", "--result", "result.json"),
        ],
        cpu=min([BUILD_CPU, *(one.cpu for one in hosts)]),
        memory_bytes=min([BUILD_MEMORY_BYTES, *(one.memory_bytes for one in hosts)]),
        timeout_seconds=BUILD_TIMEOUT_SECONDS,
        files={source: text},
        acting_user=acting_user,
    )

"""Queues the workload that resolves requirements and builds their environment, on whatever host has room."""

from __future__ import annotations

from modelwright.accounts.actors import Actor
from modelwright.compute.build_orders import BUILD_CPU, BUILD_MEMORY_BYTES, BUILD_TIMEOUT_SECONDS, make_order
from modelwright.compute.models import Host, Workload
from modelwright.compute.services.workloads import create_workload


def queue_build(*, name: str, source: str, text: str, python: str, acting_user: Actor, additions: str = "") -> Workload:
    """A build of what the text asks for, as the file `source` would, together with `additions`."""
    # One that has just joined has not said yet what it has.
    hosts = list(Host.objects.exclude(state__in=("offline", "removed")).filter(cpu__gt=0, memory_bytes__gt=0))
    order = make_order(source=source, text=text, python=python, additions=additions)
    return create_workload(
        kind=Workload.Kind.ENVIRONMENT,
        name=name,
        command=order.command,
        cpu=min([BUILD_CPU, *(one.cpu for one in hosts)]),
        memory_bytes=min([BUILD_MEMORY_BYTES, *(one.memory_bytes for one in hosts)]),
        timeout_seconds=BUILD_TIMEOUT_SECONDS,
        files=order.files,
        acting_user=acting_user,
    )

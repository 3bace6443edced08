"""What the machines of this host's swarm have together: read all the while, and told with each sign of life."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings

from modelwright.compute.backends.base import BackendError, Machine, Spreading
from modelwright.compute.gpus import NO_GPUS, Gpu
from modelwright.compute.layout import local_backend

logger = logging.getLogger(__name__)


class Reader:
    """Keeps the latest reading. A keeper that does not answer holds up this loop alone, never a sign of life."""

    def __init__(self) -> None:
        """Nothing has been read: `machines` is None."""
        self.machines: Sequence[Machine] | None = None
        self.problem = ""

    def read(self) -> None:
        """One look. What was read stays while nobody answers: what runs there goes on as well."""
        if settings.BACKEND != "swarm":
            return
        backend = local_backend()
        try:
            assert isinstance(backend, Spreading)  # noqa: S101 - the backend of that name
            self.machines, self.problem = backend.machines(), ""
        except BackendError as error:
            if str(error) != self.problem:
                logger.warning("the machines of the swarm are not known: %s", error)
            self.problem = str(error)


READER = Reader()


def rows(machines: Iterable[Machine]) -> list[dict[str, Any]]:
    """As a host's row keeps them."""
    return [
        {
            "id": machine.name,
            "name": machine.title,
            "cpu": machine.cpu,
            "memory_bytes": machine.memory_bytes,
            "gpus": len(machine.gpus),
            "labels": dict(machine.labels),
        }
        for machine in machines
    ]


def numbered(machines: Iterable[Machine], known: Iterable[Mapping[str, Any]]) -> list[Gpu]:
    """All GPUs with an index each. One that is `known` keeps its index, by which workloads have reserved it."""
    if settings.HOST_GPUS == NO_GPUS:
        return []
    found = {name: machine.title for machine in machines for name in machine.gpus}
    indexes = {str(gpu["uuid"]): int(gpu["index"]) for gpu in known if gpu["uuid"] in found}
    taken = set(indexes.values())
    free = (index for index in range(len(found) + len(taken)) if index not in taken)
    for name in found:
        if name not in indexes:
            indexes[name] = next(free)
    gpus = [Gpu(indexes[name], name, f"of {title}") for name, title in found.items()]
    return sorted(gpus, key=lambda gpu: gpu.index)

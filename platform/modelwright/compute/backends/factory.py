"""Makes the backend that a host was set up with."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from modelwright.compute.backends.base import Backend, WorkloadKey
from modelwright.compute.backends.container_host import ContainerHost
from modelwright.compute.backends.process import ProcessBackend


class LocalBackend(Backend, Protocol):
    """A backend whose workloads leave files on this host."""

    @property
    def root(self) -> Path:
        """Where the workloads' folders are."""
        ...

    def folder(self, key: WorkloadKey) -> Path:
        """The folder of the workload, whether or not it exists."""
        ...

    def work_folder(self, key: WorkloadKey) -> Path:
        """The folder that the workload's process starts in (or above it, by `WorkloadSpec.directory`)."""
        ...

    def log_path(self, key: WorkloadKey) -> Path:
        """The file with the workload's standard output and error."""
        ...


def make_backend(kind: str, *, root: Path, keeper_socket: Path) -> LocalBackend:
    """The backend named `process`, `docker` or `swarm`. The last two need a keeper that serves `root`.

    Raises ValueError for another name.
    """
    if kind == "process":
        return ProcessBackend(root)
    if kind in ("docker", "swarm"):
        return ContainerHost(keeper_socket, root)
    raise ValueError(f"There is no backend {kind!r}: choose process, docker or swarm.")

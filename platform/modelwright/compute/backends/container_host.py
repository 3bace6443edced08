"""The backend of a host with containers: somebody's code runs in a container, the platform's own beside them."""

from __future__ import annotations

from pathlib import Path

from modelwright.compute.backends.base import WorkloadSpec, WorkloadStatus
from modelwright.compute.backends.keeper.client import KeeperBackend
from modelwright.compute.backends.process import ProcessBackend

# Programs of the platform that ask the keeper to do the dangerous part, and show its log as theirs.
OWN_KINDS = frozenset({"environment"})


class ContainerHost(KeeperBackend):
    """Starts containers through the keeper, and programs of the platform as processes beside them.

    Both leave the same records in the same folders, and obey the same orders to stop, so everything but the start is
    the keeper's. A supervisor that is gone gives its lock back, which the keeper takes for a loss as well.
    """

    def __init__(self, path: Path, root: Path) -> None:
        """See `KeeperBackend`."""
        super().__init__(path, root)
        self._processes = ProcessBackend(root)

    def start(self, spec: WorkloadSpec) -> WorkloadStatus:
        """See `Backend.start`."""
        if spec.kind in OWN_KINDS:
            return self._processes.start(spec)
        return super().start(spec)

"""The backend that workers and the watcher use: it asks the keeper, and reads logs and files from the disk itself."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import (
    Cause,
    Machine,
    UnavailableError,
    WorkloadKey,
    WorkloadSpec,
    WorkloadStatus,
)
from modelwright.compute.backends.folders import Folders
from modelwright.compute.backends.keeper import codec
from modelwright.compute.images.order import BuildOrder, BuildState, LockOrder

# Checking out a large commit is the longest that the keeper does before it answers.
TIMEOUT_SECONDS = 360.0


class KeeperBackend:
    """Runs workloads through the keeper at `path`. It holds no connection between two calls.

    Besides the errors of `Backend`, every method raises UnavailableError when the keeper does not answer.
    """

    def __init__(self, path: Path, root: Path) -> None:
        """`root` is the keeper's root folder, which has the same path here."""
        self.path = path
        self.root = root
        self._folders = Folders(root)

    def folder(self, key: WorkloadKey) -> Path:
        """The folder of the workload, whether or not it exists."""
        return self._folders.folder(key)

    def work_folder(self, key: WorkloadKey) -> Path:
        """The folder that the workload's process starts in (or above it, by `WorkloadSpec.directory`)."""
        return self._folders.work(key)

    def log_path(self, key: WorkloadKey) -> Path:
        """The file with the workload's standard output and error."""
        return self._folders.log(key)

    def start(self, spec: WorkloadSpec) -> WorkloadStatus:
        """See `Backend.start`."""
        return codec.status_from_json(self._ask("start", spec=codec.spec_to_json(spec))["status"])

    def renew(self, spec: WorkloadSpec) -> None:
        """See `Renewing.renew`. Raises BackendError where the keeper's backend cannot do that."""
        self._ask("renew", spec=codec.spec_to_json(spec))

    def stop(self, key: WorkloadKey, *, cause: Cause = Cause.CANCELLED, message: str = "") -> None:
        """See `Backend.stop`."""
        self._ask("stop", key=codec.key_to_json(key), cause=cause.value, message=message)

    def status(self, key: WorkloadKey) -> WorkloadStatus | None:
        """See `Backend.status`."""
        found = self._ask("status", key=codec.key_to_json(key))["status"]
        return None if found is None else codec.status_from_json(found)

    def list(self) -> Sequence[WorkloadStatus]:
        """See `Backend.list`."""
        return [codec.status_from_json(value) for value in self._ask("list")["statuses"]]

    def remove(self, key: WorkloadKey, *, keep_record: bool = True) -> None:
        """See `Backend.remove`."""
        self._ask("remove", key=codec.key_to_json(key), keep_record=keep_record)

    def machines(self) -> Sequence[Machine]:
        """See `Spreading.machines`. Raises BackendError where the keeper's backend has one machine."""
        return [codec.machine_from_json(value) for value in self._ask("machines")["machines"]]

    def build_image(self, order: BuildOrder) -> BuildState:
        """Begins to build the environment's image unless it is there or being built. Returns at once; ask again."""
        return BuildState.from_json(self._ask("build_image", **order.to_json())["build"])

    def remove_image(self, image: str) -> None:
        """Removes an image that `build_image` made, if it is there. Raises BackendError while containers use it."""
        self._ask("remove_image", image=image)

    def resolve(self, order: LockOrder) -> BuildState:
        """Begins to make the lock of the requirements unless it is known or being made. Returns at once; ask again."""
        return BuildState.from_json(self._ask("resolve", **order.to_json())["build"])

    def _ask(self, method: str, **values: object) -> Mapping[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(TIMEOUT_SECONDS)
                connection.connect(str(self.path))
                codec.send(connection, {"method": method, **values})
                answer = codec.receive(connection)
        except OSError as error:
            raise UnavailableError(
                f"The keeper of this host's containers does not answer at {self.path} ({error}). Start it again."
            ) from error
        if "error" in answer:
            raise codec.error_from_json(answer["error"])
        return answer

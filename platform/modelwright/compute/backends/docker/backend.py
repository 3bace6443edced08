"""Workloads as containers: made and started by whoever calls, looked after by the host's minder."""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import (
    BackendError,
    Cause,
    Phase,
    SourceError,
    WorkloadKey,
    WorkloadSpec,
    WorkloadStatus,
)
from modelwright.compute.backends.docker import entry, options
from modelwright.compute.backends.docker.config import DockerConfig
from modelwright.compute.backends.docker.engine import Api, connect, is_conflict, told_apart
from modelwright.compute.backends.docker.minder import Minder
from modelwright.compute.backends.docker.outcome import CREATED, has_ended
from modelwright.compute.backends.docker.relay import RelayServer
from modelwright.compute.backends.folders import Folders
from modelwright.compute.backends.shim import masking, record
from modelwright.compute.backends.source import prepare_work
from modelwright.compute.backends.trees import remove_tree


class DockerBackend:
    """Runs workloads as containers of this host's engine, with records and logs in folders below `config.root`.

    It holds the engine's socket, which is as good as root: only the keeper makes one. Several on one root, in one
    process or many, share the work: one of them minds all containers, and another goes on when it dies.
    """

    def __init__(self, config: DockerConfig) -> None:
        """Begins to mind this installation's containers."""
        self.config = config
        self.root = config.root
        self._folders = Folders(config.root)
        self._folders.create()
        self._api: Api = None
        self._entry = self._write_entry()
        self._relay = RelayServer(config.root / ".relay", config.relays) if config.relays else None
        self._minder = Minder(config)
        self._minder.start()

    def close(self) -> None:
        """Stops minding; containers go on."""
        self._minder.close()
        if self._relay is not None:
            self._relay.close()

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
        """See `Backend.start`. Raises UnavailableError, when trying again later may work, and ImageMissingError."""
        key = spec.key
        self._folders.make(key)
        with self._folders.starting(key) as is_ours:
            if is_ours and self._folders.read_status(key) is None:
                self._folders.enlist(key)
                if stop := self._folders.read_stop(key):
                    self._folders.write_ended(key, stop)
                else:
                    self._start(spec)
        self._minder.hurry()
        return self._folders.status(key) or WorkloadStatus(key, Phase.STARTING)

    def stop(self, key: WorkloadKey, *, cause: Cause = Cause.CANCELLED, message: str = "") -> None:
        """See `Backend.stop`. It works without the engine: whoever minds the containers acts on the record."""
        status = self._folders.status(key)
        if status is None or status.phase is not Phase.ENDED:
            self._folders.order_stop(key, cause=cause, message=message)
        self._minder.hurry()

    def status(self, key: WorkloadKey) -> WorkloadStatus | None:
        """See `Backend.status`."""
        return self._folders.status(key)

    def list(self) -> Sequence[WorkloadStatus]:
        """See `Backend.list`."""
        return [status for key in self._folders.listed() if (status := self._folders.status(key)) is not None]

    def remove(self, key: WorkloadKey, *, keep_record: bool = True) -> None:
        """See `Backend.remove`."""
        status = self._folders.status(key)
        if status is not None and status.phase is not Phase.ENDED:
            raise BackendError(f"Workload {key.name} is running and cannot be removed.")
        folder = self._folders.work(key) if keep_record else self._folders.folder(key)
        for gone in (folder, *(root / key.name for root in self.config.writable)):
            remove_tree(gone)
        self._folders.delist(key)
        self._minder.hurry()

    def _start(self, spec: WorkloadSpec) -> None:
        """Makes the container or finds the one that an earlier starter made, and starts it unless it runs."""
        what = f"Workload {spec.key.name} could not be started"
        with told_apart(what):
            self._api = self._api or connect(self.config.engine)
            # Files come before the container: where there are none, nobody has made one.
            found = self._find(spec.key) if self._folders.work(spec.key).exists() else None
            if found is None or _awaits_its_start(found["State"]):
                self._prepare(spec)
                container = found["Id"] if found else self._create(spec)
                try:
                    self._deliver_and_start(container, spec)
                except BaseException:
                    with contextlib.suppress(Exception):
                        self._api.remove_container(container, force=True)
                    raise
        self._folders.write_running(spec.key, time.time())

    def _find(self, key: WorkloadKey) -> dict[str, Any] | None:
        name = options.container_name(self.config.instance, key)
        # The engine reads the name as a pattern that may stand anywhere.
        found = self._api.containers(all=True, filters={"name": f"^/{name}$"})
        if not found:
            return None
        if found[0]["Labels"].get(options.INSTANCE) != self.config.instance:
            raise BackendError(f"A container that is not the platform's has the name {name!r}. Remove it.")
        described: dict[str, Any] = self._api.inspect_container(found[0]["Id"])
        return described

    def _prepare(self, spec: WorkloadSpec) -> None:
        """Its files, owned by the user that it runs as."""
        if spec.source and self.config.sources:
            archive = Path(spec.source.path).resolve()
            if not any(archive.is_relative_to(root.resolve()) for root in self.config.sources):
                raise SourceError(f"The archive {spec.source.path} is not one of this host's.")
        work = self._folders.work(spec.key)
        prepare_work(work, source=spec.source, files=spec.files)
        directory = (work / spec.directory).resolve()
        if not directory.is_relative_to(work.resolve()):
            raise SourceError(f"The directory {spec.directory!r} would lie outside the working folder.")
        ending = self._folders.ending(spec.key)
        ending.write_text("")
        made = options.writable_folders(self.config, spec)
        for folder in made:
            folder.mkdir(mode=0o700, exist_ok=True)
        if os.getuid() == 0:
            for path in (ending, *made, work, *work.rglob("*")):
                os.chown(path, self.config.uid, self.config.gid, follow_symlinks=False)

    def _create(self, spec: WorkloadSpec) -> str:
        relay = self._relay.folder if self._relay else None
        arguments = options.create_options(self._api, self.config, spec, self._entry, relay)
        try:
            return str(self._api.create_container(**arguments)["Id"])
        except Exception as error:
            # Another starter was faster, one that holds no lock of ours: a root that two hosts share.
            if is_conflict(error) and (found := self._find(spec.key)):
                return str(found["Id"])
            raise

    def _deliver_and_start(self, container: str, spec: WorkloadSpec) -> None:
        order = {
            "command": list(spec.command),
            "environment": {**spec.environment, record.MARKER: spec.key.name},
            "secret_files": dict(spec.secret_files),
            "masked": list(spec.masked),
            "directory": str(self._folders.work(spec.key) / spec.directory),
            "open_files": spec.limits.open_files,
            "relays": [list(near) for near in self.config.near],
        }
        # A form that every Python since 3.4 reads.
        text = marshal.dumps(order, 2)
        stream = self._api.attach_socket(container, params={"stdin": 1, "stream": 1})
        try:
            self._api.start(container)
            stream._sock.sendall(struct.pack(">I", len(text)) + text)
        finally:
            stream.close()

    def _write_entry(self) -> Path:
        """Copies of the first process's programs that any user may read, whatever the mode of this installation is."""
        text, beside = Path(entry.__file__).read_bytes(), Path(masking.__file__).read_bytes()
        path = self.root / f".entry-{hashlib.sha256(text + beside).hexdigest()[:16]}.py"
        _publish(path.with_name(f"{path.stem}-{entry.MASKING}"), beside)
        _publish(path, text)
        return path


def _publish(path: Path, text: bytes) -> None:
    if not path.exists():
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(text)
        temporary.chmod(0o644)
        temporary.replace(path)


def _awaits_its_start(state: dict[str, Any]) -> bool:
    """False also where an engine has lost sight of a start: whether the order arrived then is not known."""
    return state["Status"] == CREATED and not has_ended(state)

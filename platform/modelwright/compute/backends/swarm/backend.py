"""Workloads as services of a swarm: made by whoever calls, looked after by one minder."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docker import errors

from modelwright.compute.backends.base import (
    BackendError,
    Cause,
    Machine,
    Phase,
    SourceError,
    WorkloadKey,
    WorkloadSpec,
    WorkloadStatus,
)
from modelwright.compute.backends.docker.engine import Api, connect, is_conflict
from modelwright.compute.backends.docker.options import INSTANCE
from modelwright.compute.backends.source import prepare_work
from modelwright.compute.backends.swarm import entrance_service, names, shared, shelf
from modelwright.compute.backends.swarm.config import SwarmConfig
from modelwright.compute.backends.swarm.engine import swarm_told_apart
from modelwright.compute.backends.swarm.machines import machines_of
from modelwright.compute.backends.swarm.minder import SwarmMinder
from modelwright.compute.backends.swarm.options import Made, image_of, service_arguments
from modelwright.compute.backends.swarm.order import order_text, pack_inputs
from modelwright.compute.backends.swarm.records import SwarmFolders
from modelwright.compute.backends.trees import remove_tree


class SwarmBackend:
    """Runs workloads as services, with records and logs in folders of this host below `config.root`.

    It holds a manager's socket, which is as good as root on every node: only a keeper makes one. Several on one root
    share the work as those of `DockerBackend` do. What is started is running once the swarm found a node, which may
    take any time; until then the status says why it waits.
    """

    def __init__(self, config: SwarmConfig) -> None:
        """Begins to mind this installation's services. Raises OSError when the shelf's address cannot be had."""
        self.config = config
        self.root = config.root
        self._folders = SwarmFolders(config.root)
        self._folders.create()
        self._api: Api = None
        self._shelf = shelf.ShelfServer(config.root, config.shelf) if config.shelf else None
        self._minder = SwarmMinder(config)
        self._minder.start()

    def close(self) -> None:
        """Stops minding; services go on."""
        self._minder.close()
        if self._shelf is not None:
            self._shelf.close()

    def folder(self, key: WorkloadKey) -> Path:
        """The folder of the workload on this host, whether or not it exists."""
        return self._folders.folder(key)

    def work_folder(self, key: WorkloadKey) -> Path:
        """What its working folder begins with. What it writes there stays on its node, and goes with its task."""
        return self._folders.work(key)

    def log_path(self, key: WorkloadKey) -> Path:
        """The file with the workload's standard output and error, of all its tasks."""
        return self._folders.log(key)

    def start(self, spec: WorkloadSpec) -> WorkloadStatus:
        """See `Backend.start`. Raises UnavailableError, when trying again later may work.

        A missing image shows later, in the status: only the node that shall run it knows.
        """
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

    def renew(self, spec: WorkloadSpec) -> None:
        """See `Renewing.renew`."""
        status = self._folders.status(spec.key)
        if status is None or status.phase is Phase.ENDED or self._folders.read_stop(spec.key):
            raise BackendError(f"Workload {spec.key.name} does not run and cannot be renewed.")
        with self._folders.starting(spec.key) as is_ours, swarm_told_apart(f"Workload {spec.key.name} was not renewed"):
            if not is_ours:
                raise BackendError(f"Workload {spec.key.name} is being started or renewed by somebody else.")
            api = self._connected()
            service = self._find(spec.key)
            if service is None:
                raise BackendError(f"Workload {spec.key.name} has no service any more.")
            revision = 1 + max((event.get("revision", 1) for event in self._folders.history(spec.key)), default=1)
            self._folders.add_event(spec.key, "renewed", revision=revision, image=image_of(self.config, spec))
            api.update_service(service["ID"], service["Version"]["Index"], **self._arguments(spec, revision))
        self._minder.hurry()

    def stop(self, key: WorkloadKey, *, cause: Cause = Cause.CANCELLED, message: str = "") -> None:
        """See `Backend.stop`. It works without the swarm: whoever minds the services acts on the record."""
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
        shelf.revoke(self._folders.folder(key))
        folder = self._folders.work(key) if keep_record else self._folders.folder(key)
        remove_tree(folder)
        self._folders.delist(key)
        self._minder.hurry()

    def machines(self) -> Sequence[Machine]:
        """See `Spreading.machines`."""
        with swarm_told_apart("The machines of the swarm cannot be told"):
            return machines_of(self._connected().nodes(), self.config.gpu_resource)

    def history(self, key: WorkloadKey) -> Sequence[dict[str, Any]]:
        """Its tasks that ended and its renewals, the oldest first. The swarm forgets them."""
        return self._folders.history(key)

    def _connected(self) -> Api:
        self._api = self._api or connect(self.config.engine)
        return self._api

    def _start(self, spec: WorkloadSpec) -> None:
        with swarm_told_apart(f"Workload {spec.key.name} could not be started"):
            api = self._connected()
            if self._find(spec.key) is None:
                arguments = self._arguments(spec, 1)
                try:
                    api.create_service(**arguments)
                except errors.APIError as error:
                    # Another starter was faster, one that holds no lock of ours: a root that two hosts share.
                    if not is_conflict(error) or self._find(spec.key) is None:
                        raise
        self._folders.begin(spec.key)

    def _find(self, key: WorkloadKey) -> dict[str, Any] | None:
        name = names.service_name(self.config.instance, key)
        for service in self._api.services(filters={"name": name}):
            if service["Spec"]["Name"] == name:
                if service["Spec"]["Labels"].get(INSTANCE) != self.config.instance:
                    raise BackendError(f"A service that is not the platform's has the name {name!r}. Remove it.")
                found: dict[str, Any] = service
                return found
        return None

    def _arguments(self, spec: WorkloadSpec, revision: int) -> dict[str, Any]:
        """All that a service needs before it: its files, its secret, the network and the programs."""
        image_of(self.config, spec)
        work = self._folders.work(spec.key)
        prepare_work(work, source=spec.source, files=spec.files)
        if not (work / spec.directory).resolve().is_relative_to(work.resolve()):
            raise SourceError(f"The directory {spec.directory!r} would lie outside the working folder.")
        packs = pack_inputs(self.config, spec, work)
        address = self._shelf.address if self._shelf else None
        way = shared.way_to_shelf(self._api, self.config, address) if packs else ""
        if spec.gpus and not packs:
            shared.ensure_relay(self._api, self.config, address)
        if spec.port and self.config.entrance:
            entrance_service.ensure_entrance(self._api, self.config, spec.port)
        token = shelf.grant(self._folders.folder(spec.key), [pack.sha256 for pack in packs]) if packs else ""
        text = order_text(spec, work=str(work), packs=packs, shelf=way, token=token)
        secret = names.secret_name(spec.key, revision)
        made = Made(
            secret_id=self._make_secret(spec.key, secret, text),
            secret_name=secret,
            network=shared.ensure_network(self._api, self.config, self.config.network_name, is_closed=True),
            programs=shared.ensure_programs(self._api, self.config),
            packs=packs,
            work=str(work),
        )
        return service_arguments(self.config, spec, made, revision)

    def _make_secret(self, key: WorkloadKey, name: str, text: bytes) -> str:
        labels = names.secret_labels(self.config, key)
        try:
            return str(self._api.create_secret(name, text, labels=labels)["ID"])
        except errors.APIError as error:
            if not is_conflict(error):
                raise
        # Left by a starter that died before it made the service: nobody has read it.
        for known in self._api.secrets(filters={"name": name}):
            if known["Spec"]["Name"] == name:
                with contextlib.suppress(errors.NotFound):
                    self._api.remove_secret(known["ID"])
        return str(self._api.create_secret(name, text, labels=labels)["ID"])

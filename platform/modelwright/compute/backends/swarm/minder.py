"""What one process does all the time for the services of an installation: compares them with the records."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from modelwright.compute.backends.base import Phase, WorkloadKey
from modelwright.compute.backends.docker.engine import is_absent, is_conflict
from modelwright.compute.backends.docker.minding import Minding
from modelwright.compute.backends.docker.options import INSTANCE
from modelwright.compute.backends.docker.tender import ENGINE_ERRORS
from modelwright.compute.backends.swarm import entrance_service, names, packs, shelf
from modelwright.compute.backends.swarm.config import SwarmConfig
from modelwright.compute.backends.swarm.records import SwarmFolders
from modelwright.compute.backends.swarm.sweeping import Sweeper
from modelwright.compute.backends.swarm.tasks import Task
from modelwright.compute.backends.swarm.tending import Tending

BUSY_SECONDS = 0.3
SWEEP_SECONDS = 15.0


class SwarmMinder(Minding):
    """See `Minding`."""

    def __init__(self, config: SwarmConfig) -> None:
        super().__init__("swarm minder", root=config.root, engine=config.engine, busy_seconds=BUSY_SECONDS)
        self._config = config
        self._folders = SwarmFolders(config.root)
        self._tended: dict[WorkloadKey, Tending] = {}
        self._swept_at = 0.0

    def look(self) -> bool:
        """One comparison of records and services. Whether there is anything to look after."""
        # Records first: what is started after this look is in neither list.
        expected = [key for key in self._folders.listed() if self._is_open(key)]
        mine = {"label": f"{INSTANCE}={self._config.instance}"}
        services = self._services(mine)
        nodes = {str(node["ID"]): node for node in self._api.nodes()} if services else {}
        tasks: dict[str, list[Task]] = {}
        for found in self._api.tasks(filters=mine) if services else []:
            tasks.setdefault(str(found["ServiceID"]), []).append(Task.of(found, nodes))
        for key, service in services.items():
            with contextlib.suppress(_Passed), _passing():
                self._tend(key, service, tasks.get(service["ID"], []))
        for key in set(expected) - set(services):
            if not self._folders.is_starting(key):
                self._folders.write_lost(key, "Its service has disappeared: somebody removed it from the swarm.")
        for key in [key for key in self._tended if key not in services]:
            self._tended.pop(key).leave()
        self._sweep(set(services), services)
        return bool(services)

    def _services(self, mine: Mapping[str, str]) -> dict[WorkloadKey, dict[str, Any]]:
        found = {}
        for service in self._api.services(filters=mine):
            with contextlib.suppress(KeyError, ValueError):
                found[names.key_of(service["Spec"]["Labels"])] = service
        return found

    def _is_open(self, key: WorkloadKey) -> bool:
        status = self._folders.read_status(key)
        return status is not None and status.get("phase") in (Phase.STARTING, Phase.RUNNING)

    def _tend(self, key: WorkloadKey, service: dict[str, Any], tasks: Sequence[Task]) -> None:
        if self._folders.is_starting(key):
            return
        if not self._folders.is_listed(key) or not self._is_open(key):
            self._clear(key, service["ID"])
            return
        if key not in self._tended:
            self._tended[key] = Tending(self._api, self._config, self._folders, key, service)
        self._tended[key].look(service, tasks)
        if not self._is_open(key):
            self._clear(key, service["ID"])

    def _clear(self, key: WorkloadKey, service: str) -> None:
        """What has ended, or what nobody here knows, goes from the swarm, with its secrets."""
        if (tending := self._tended.pop(key, None)) is not None:
            tending.leave()
        self._api.remove_service(service)
        shelf.revoke(self._folders.folder(key))
        self._swept_at = 0.0

    def _sweep(self, keys: set[WorkloadKey], services: Mapping[WorkloadKey, Mapping[str, Any]]) -> None:
        if time.monotonic() - self._swept_at < SWEEP_SECONDS:
            return
        self._swept_at = time.monotonic()
        Sweeper(self._api, self._config, self._folders).sweep(services)
        needed = {digest for key in keys for digest in shelf.granted(self._folders.folder(key))}
        entrance_service.keep_certificate(self._api, self._config)
        packs.keep_only(self._config.root, needed, older_than=time.time() - 3600)

    def leave(self) -> None:
        """See `Minding.leave`."""
        for tending in self._tended.values():
            tending.leave()

    def note_absence(self, seconds: float) -> None:
        """Tasks go on without a manager: nothing is lost by that, but nobody can say how they are."""
        if seconds >= self._config.patience_seconds:
            for key in self._folders.listed():
                message = "The manager of its swarm does not answer. What runs goes on, but nobody can look after it."
                self._folders.write_present(key, {"message": message})


class _Passed(Exception):
    """The service changed while it was being looked at: the next look sees it as it is then."""


@contextlib.contextmanager
def _passing() -> Any:
    try:
        yield
    except ENGINE_ERRORS as error:
        if is_absent(error) or is_conflict(error) or "out of sequence" in str(error):
            raise _Passed from error
        raise

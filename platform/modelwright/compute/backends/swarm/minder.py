"""What one process does all the time for the services of an installation: compares them with the records.

Whoever holds the lock of the root folder is the minder; the others wait for the lock. Everything here may stop at any
point, and another process goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from modelwright.compute.backends.base import BackendError, Phase, WorkloadKey
from modelwright.compute.backends.docker.engine import Api, connect, is_absent, is_conflict
from modelwright.compute.backends.docker.options import INSTANCE
from modelwright.compute.backends.docker.tender import ENGINE_ERRORS
from modelwright.compute.backends.shim import record
from modelwright.compute.backends.swarm import names, packs, shelf
from modelwright.compute.backends.swarm.config import SwarmConfig
from modelwright.compute.backends.swarm.records import SwarmFolders
from modelwright.compute.backends.swarm.sweeping import Sweeper
from modelwright.compute.backends.swarm.tasks import Task
from modelwright.compute.backends.swarm.tending import Tending

logger = logging.getLogger(__name__)
LOCK = ".minder"
BUSY_SECONDS = 0.3
IDLE_SECONDS = 1.0
SWEEP_SECONDS = 15.0


class SwarmMinder(threading.Thread):
    """Does nothing until it has the lock."""

    def __init__(self, config: SwarmConfig) -> None:
        """Connects by itself, so that a manager that is away keeps nobody waiting."""
        super().__init__(name="swarm minder", daemon=True)
        self._config = config
        self._folders = SwarmFolders(config.root)
        self._api: Api = None
        self._wake = threading.Event()
        self._closed = False
        self._tended: dict[WorkloadKey, Tending] = {}
        self._answered_at = time.monotonic()
        self._swept_at = 0.0

    def hurry(self) -> None:
        """Something has changed: looks at once."""
        self._wake.set()

    def close(self) -> None:
        """Gives the lock back as soon as the present look is over, and waits for that."""
        self._closed = True
        self._wake.set()
        self.join(30)

    def run(self) -> None:
        """Until closed."""
        descriptor = os.open(self._config.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not self._closed:
                mine = record.take_lock(descriptor)
                self._answered_at = self._answered_at if mine else time.monotonic()
                busy = mine and self._look_safely()
                self._wake.wait(BUSY_SECONDS if busy else IDLE_SECONDS)
                self._wake.clear()
        finally:
            for tending in self._tended.values():
                tending.leave()
            os.close(descriptor)

    def _look_safely(self) -> bool:
        try:
            self._api = self._api or connect(self._config.engine)
            busy = self._look()
            self._answered_at = time.monotonic()
            return busy
        except (BackendError, *ENGINE_ERRORS) as error:
            logger.warning("the manager of the swarm does not answer: %s", error)
            self._note_absence()
        except Exception:
            logger.exception("looking after services")
        return True

    def _look(self) -> bool:
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
        packs.keep_only(self._config.root, needed, older_than=time.time() - 3600)

    def _note_absence(self) -> None:
        """Tasks go on without a manager: nothing is lost by that, but nobody can say how they are."""
        if time.monotonic() - self._answered_at >= self._config.patience_seconds:
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

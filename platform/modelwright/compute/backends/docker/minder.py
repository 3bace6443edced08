"""What one process on a host does all the time: adopts containers, ends those that must end, clears what is left over.

Whoever holds the lock of the root folder is the minder; the others wait for the lock. Everything here may stop at any
point, and another process goes on.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from modelwright.compute.backends.base import BackendError, Cause, Phase, WorkloadKey
from modelwright.compute.backends.docker import options
from modelwright.compute.backends.docker.config import DockerConfig
from modelwright.compute.backends.docker.engine import Api, connect, is_absent, is_conflict
from modelwright.compute.backends.docker.outcome import moment
from modelwright.compute.backends.docker.space import SpaceWatch
from modelwright.compute.backends.docker.tender import ENGINE_ERRORS, Tender
from modelwright.compute.backends.folders import Folders
from modelwright.compute.backends.shim import record

logger = logging.getLogger(__name__)
LOCK = ".minder"
BUSY_SECONDS = 0.2
IDLE_SECONDS = 1.0
# A container whose starter died between its two calls waits so long for another starter.
ORPHAN_SECONDS = 600


class Minder(threading.Thread):
    """Does nothing until it has the lock."""

    def __init__(self, config: DockerConfig) -> None:
        """Connects by itself, so that an engine that is away keeps nobody waiting."""
        super().__init__(name="minder", daemon=True)
        self._config = config
        self._folders = Folders(config.root)
        self._api: Api = None
        self._wake = threading.Event()
        self._closed = False
        self._tenders: dict[str, Tender] = {}
        self._asked: dict[str, float] = {}
        self._space = SpaceWatch(config.work_bytes)
        self._answered_at = time.monotonic()

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
            for tender in self._tenders.values():
                tender.close()
            os.close(descriptor)

    def _look_safely(self) -> bool:
        try:
            self._api = self._api or connect(self._config.engine)
            busy = self._look()
            self._answered_at = time.monotonic()
            return busy
        except (BackendError, *ENGINE_ERRORS) as error:
            logger.warning("the container engine does not answer: %s", error)
            self._give_up_after_patience()
        except Exception:
            logger.exception("looking after containers")
        return True

    def _look(self) -> bool:
        """One comparison of records and containers. Whether there is anything to look after."""
        # Records first: what is started after this look is in neither list.
        expected = [key for key in self._folders.listed() if self._phase(key) is Phase.RUNNING]
        mine = {"label": f"{options.INSTANCE}={self._config.instance}"}
        containers = self._api.containers(all=True, filters=mine)
        seen = set()
        for container in containers:
            try:
                key = options.key_of(container["Labels"])
            except (KeyError, ValueError):
                continue
            seen.add(key)
            try:
                self._tend(key, container)
            except ENGINE_ERRORS as error:
                if not is_absent(error) and not is_conflict(error):
                    raise
        for key in set(expected) - seen:
            if not self._folders.is_starting(key):
                self._folders.write_absent(key)
        self._tenders = {name: tender for name, tender in self._tenders.items() if tender.is_alive()}
        self._asked = {name: at for name, at in self._asked.items() if name in self._tenders}
        self._space.forget_all_but({tender.key for tender in self._tenders.values()})
        return bool(containers)

    def _phase(self, key: WorkloadKey) -> Phase | None:
        status = self._folders.status(key)
        return status.phase if status else None

    def _tend(self, key: WorkloadKey, container: dict[str, Any]) -> None:
        if container["Id"] in self._tenders:
            if container["State"] == "running":
                self._enforce(key, container)
            return
        if self._folders.is_starting(key):
            return
        if not self._folders.is_listed(key) or self._phase(key) is Phase.ENDED:
            self._api.remove_container(container["Id"], v=True, force=True)
        elif container["State"] == "created":
            self._tend_created(key, container)
        else:
            if self._phase(key) is not Phase.RUNNING:
                # Its starter died before it wrote that down.
                state = self._api.inspect_container(container["Id"])["State"]
                self._folders.write_running(key, moment(state.get("StartedAt")) or time.time())
            limits = options.limits_of(container["Labels"])
            tender = Tender(self._api, self._folders, key, container["Id"], limits)
            self._tenders[container["Id"]] = tender
            tender.start()

    def _tend_created(self, key: WorkloadKey, container: dict[str, Any]) -> None:
        """Only a starter has its order. Nobody has come for long, or nobody must: it goes."""
        stop = self._folders.read_stop(key)
        if stop is not None:
            self._folders.write_ended(key, stop)
        if stop is not None or time.time() - container["Created"] > ORPHAN_SECONDS:
            self._api.remove_container(container["Id"], v=True, force=True)

    def _enforce(self, key: WorkloadKey, container: dict[str, Any]) -> None:
        limits = options.limits_of(container["Labels"])
        stop = self._folders.read_stop(key)
        if stop is None:
            reason = self._reason(key, limits.timeout_seconds)
            if reason is None:
                return
            # First the record, then the deed: whoever goes on from here knows why.
            self._folders.order_stop(key, cause=reason[0], message=reason[1])
        asked_at = self._asked.get(container["Id"])
        if asked_at is None:
            self._asked[container["Id"]] = time.monotonic()
            self._api.kill(container["Id"], "SIGTERM")
        elif time.monotonic() - asked_at >= limits.grace_seconds:
            self._api.kill(container["Id"], "SIGKILL")

    def _reason(self, key: WorkloadKey, timeout: float | None) -> tuple[Cause, str] | None:
        started_at = (self._folders.read_status(key) or {}).get("started_at")
        if timeout is not None and started_at is not None and time.time() >= started_at + timeout:
            return Cause.TIMED_OUT, f"It ran longer than its time limit of {timeout:g} seconds."
        problem = self._space.problem(key, self._folders.work(key), self._folders.ending(key))
        return (Cause.FAILED, problem) if problem else None

    def _give_up_after_patience(self) -> None:
        """An engine that is gone takes its containers along; one that comes back has those cleared that live on."""
        if time.monotonic() - self._answered_at < self._config.patience_seconds:
            return
        for key in self._folders.listed():
            if self._phase(key) is Phase.RUNNING:
                seconds = self._config.patience_seconds
                message = f"The container engine of its host has not answered for {seconds:g} seconds."
                self._folders.write_lost(key, message)

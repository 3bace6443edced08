"""What one process on a host does all the time: adopts containers, ends what must end, clears what is left over."""

from __future__ import annotations

import time
from typing import Any

from modelwright.compute.backends.base import Cause, Phase, WorkloadKey
from modelwright.compute.backends.docker import options
from modelwright.compute.backends.docker.config import DockerConfig
from modelwright.compute.backends.docker.engine import is_absent, is_conflict
from modelwright.compute.backends.docker.minding import Minding
from modelwright.compute.backends.docker.outcome import CREATED, has_ended, moment
from modelwright.compute.backends.docker.space import SpaceWatch
from modelwright.compute.backends.docker.tender import ENGINE_ERRORS, Tender
from modelwright.compute.backends.folders import Folders

BUSY_SECONDS = 0.2
# A container whose starter died between its two calls waits so long for another starter.
ORPHAN_SECONDS = 600
# An engine has been seen to keep a log open for good whose container has ended.
SILENCE_SECONDS = 15


class Minder(Minding):
    """See `Minding`."""

    def __init__(self, config: DockerConfig) -> None:
        super().__init__("minder", root=config.root, engine=config.engine, busy_seconds=BUSY_SECONDS)
        self._config = config
        self._folders = Folders(config.root)
        self._tenders: dict[str, Tender] = {}
        self._asked: dict[str, float] = {}
        self._over: dict[str, float] = {}
        self._space = SpaceWatch(config.work_bytes)

    def look(self) -> bool:
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
        self._over = {name: at for name, at in self._over.items() if name in self._tenders}
        self._space.forget_all_but({tender.key for tender in self._tenders.values()})
        return bool(containers)

    def _phase(self, key: WorkloadKey) -> Phase | None:
        status = self._folders.status(key)
        return status.phase if status else None

    def _tend(self, key: WorkloadKey, container: dict[str, Any]) -> None:
        if tender := self._tenders.get(container["Id"]):
            if container["State"] == "running":
                self._enforce(key, container)
            elif time.monotonic() - self._over.setdefault(container["Id"], time.monotonic()) > SILENCE_SECONDS:
                tender.break_off()
            return
        if self._folders.is_starting(key):
            return
        if not self._folders.is_listed(key) or self._phase(key) is Phase.ENDED:
            self._api.remove_container(container["Id"], v=True, force=True)
        elif container["State"] == CREATED:
            self._tend_created(key, container)
        else:
            self._adopt(key, container)

    def _adopt(self, key: WorkloadKey, container: dict[str, Any]) -> None:
        if self._phase(key) is not Phase.RUNNING:
            # Its starter died before it wrote that down.
            state = self._api.inspect_container(container["Id"])["State"]
            self._folders.write_running(key, moment(state.get("StartedAt")) or time.time())
        limits = options.limits_of(container["Labels"])
        tender = Tender(self._api, self._folders, key, container["Id"], limits)
        self._tenders[container["Id"]] = tender
        tender.start()

    def _tend_created(self, key: WorkloadKey, container: dict[str, Any]) -> None:
        """Only a starter has its order. Nobody has come for long, or nobody must: it goes.

        One that was started before goes to a tender, which finds out what became of that.
        """
        state = self._api.inspect_container(container["Id"])["State"]
        if self._phase(key) is Phase.RUNNING or has_ended(state):
            self._adopt(key, container)
            return
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
        beside = [root / key.name for root in self._config.writable]
        problem = self._space.problem(key, self._folders.work(key), self._folders.ending(key), beside=beside)
        return (Cause.FAILED, problem) if problem else None

    def leave(self) -> None:
        """See `Minding.leave`."""
        for tender in self._tenders.values():
            tender.close()

    def note_absence(self, seconds: float) -> None:
        """An engine that is gone takes its containers along; one that comes back has those cleared that live on."""
        if seconds < self._config.patience_seconds:
            return
        for key in self._folders.listed():
            if self._phase(key) is Phase.RUNNING:
                patience = self._config.patience_seconds
                message = f"The container engine of its host has not answered for {patience:g} seconds."
                self._folders.write_lost(key, message)

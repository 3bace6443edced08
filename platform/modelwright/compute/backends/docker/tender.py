"""Looks after one container until its end is recorded: copies its log, then stores the outcome and removes it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import requests
import urllib3
from docker import errors

from modelwright.compute.backends.base import Limits, WorkloadKey
from modelwright.compute.backends.docker.engine import Api, is_absent
from modelwright.compute.backends.docker.logs import LogCopy
from modelwright.compute.backends.docker.outcome import CREATED, EngineState, has_ended, judge
from modelwright.compute.backends.folders import Folders

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
RETRY_SECONDS = 0.5
ENGINE_ERRORS = (errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Tender(threading.Thread):
    """One thread for each container; it goes through short absences of the engine by itself."""

    def __init__(self, api: Api, folders: Folders, key: WorkloadKey, container: str, limits: Limits) -> None:
        """`container` is the engine's id of it."""
        super().__init__(name=f"container {key.name}", daemon=True)
        self.key = key
        self.container = container
        self.limits = limits
        self._api = api
        self._folders = folders
        self._closed = threading.Event()
        self._log = LogCopy(folders.log(key), limit=limits.log_bytes)

    def close(self) -> None:
        """Leaves the container to another process."""
        self._closed.set()

    def break_off(self) -> None:
        """The engine says that the container ended a while ago: no more waiting for its output's end."""
        self._log.break_off()

    def run(self) -> None:
        """Until the end is recorded, or somebody closes it."""
        ended = self._persist(self._follow)
        if self._closed.is_set():
            return
        self._log.close()
        if ended is None:
            self._folders.write_absent(self.key)
        else:
            self._persist(lambda: self._record(ended))

    def _persist(self, step: Callable[[], Result | None]) -> Result | None:
        """What the step gives once it gives something; None when the container has disappeared, or when closed."""
        while not self._closed.is_set():
            try:
                if (result := step()) is not None:
                    return result
            except ENGINE_ERRORS as error:
                if is_absent(error):
                    return None
                logger.warning("container of workload %s: %s", self.key.name, error)
            self._closed.wait(RETRY_SECONDS)
        return None

    def _follow(self) -> EngineState | None:
        self._log.follow(self._api, self.container)
        return self._ended_state()

    def _ended_state(self) -> EngineState | None:
        """How it ended; None while it goes on, as after a connection that broke."""
        state: dict[str, Any] = self._api.inspect_container(self.container)["State"]
        if state.get("Status") == "running":
            with contextlib.suppress(requests.exceptions.Timeout, requests.exceptions.ConnectionError):
                # Its output has ended a moment before it does.
                self._api.wait(self.container, timeout=5)
            state = self._api.inspect_container(self.container)["State"]
        # Nobody starts it a second time, so one that is said to wait for its start has lost it.
        return EngineState.of(state) if has_ended(state) or state.get("Status") == CREATED else None

    def _record(self, ended: EngineState) -> bool:
        values = judge(
            ended,
            ending=self._folders.read_ending(self.key),
            stop=self._folders.read_stop(self.key),
            memory_bytes=self.limits.memory_bytes,
        )
        self._folders.write_ended(self.key, values)
        self._api.remove_container(self.container, v=True, force=True)
        return True

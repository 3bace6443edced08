"""Looks after one container until its end is recorded: copies its log, then stores the outcome and removes it."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

import requests
import urllib3
from docker import errors

from modelwright.compute.backends.base import Limits, WorkloadKey
from modelwright.compute.backends.docker.engine import Api, is_absent
from modelwright.compute.backends.docker.logs import LogCopy
from modelwright.compute.backends.docker.outcome import EngineState, judge
from modelwright.compute.backends.folders import Folders
from modelwright.compute.backends.shim import record

logger = logging.getLogger(__name__)
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

    def close(self) -> None:
        """Leaves the container to another process."""
        self._closed.set()

    def run(self) -> None:
        """Until the end is recorded, or somebody closes it."""
        log = LogCopy(self._folders.log(self.key), limit=self.limits.log_bytes)
        while not self._closed.is_set():
            try:
                log.follow(self._api, self.container)
                ended = self._ended_state()
                if ended is not None and not self._closed.is_set():
                    log.close()
                    self._record(ended)
                    return
            except ENGINE_ERRORS as error:
                if is_absent(error):
                    log.close()
                    self._folders.write_absent(self.key)
                    return
                logger.warning("container of workload %s: %s", self.key.name, error)
            self._closed.wait(RETRY_SECONDS)

    def _ended_state(self) -> EngineState | None:
        """How it ended; None while it goes on, as after a connection that broke."""
        state: dict[str, Any] = self._api.inspect_container(self.container)["State"]
        if state.get("Status") == "running":
            with contextlib.suppress(requests.exceptions.Timeout, requests.exceptions.ConnectionError):
                # Its output has ended a moment before it does.
                self._api.wait(self.container, timeout=5)
            state = self._api.inspect_container(self.container)["State"]
        return EngineState.of(state) if state.get("Status") in ("exited", "dead") else None

    def _record(self, ended: EngineState) -> None:
        values = judge(
            ended,
            ending=record.read_json(str(self._folders.ending(self.key))),
            stop=self._folders.read_stop(self.key),
            memory_bytes=self.limits.memory_bytes,
        )
        self._folders.write_ended(self.key, values)
        self._api.remove_container(self.container, v=True, force=True)

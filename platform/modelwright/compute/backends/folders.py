"""The folders and records that workloads in containers leave on the host: the same as those of host processes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import Cause, Phase, WorkloadKey, WorkloadStatus
from modelwright.compute.backends.shim import record

ENDING = "ending.json"
LARGEST_ENDING = 65536
_LIVE = ".live"


class Folders:
    """One folder for each workload below `root`, and the list of those that were not removed yet."""

    def __init__(self, root: Path) -> None:
        """Names the folders; `create` makes the root."""
        self.root = root

    def create(self) -> None:
        """Makes the root where it is missing."""
        (self.root / _LIVE).mkdir(parents=True, exist_ok=True, mode=0o700)

    def folder(self, key: WorkloadKey) -> Path:
        """The folder of the workload, whether or not it exists."""
        return self.root / key.name

    def make(self, key: WorkloadKey) -> Path:
        """The folder of the workload, made where it is missing."""
        folder = self.folder(key)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def work(self, key: WorkloadKey) -> Path:
        """Its working folder."""
        return self.folder(key) / record.WORK

    def log(self, key: WorkloadKey) -> Path:
        """Its standard output and error."""
        return self.folder(key) / record.LOG

    def ending(self, key: WorkloadKey) -> Path:
        """Where the first process in the container writes how its child ended."""
        return self.folder(key) / ENDING

    def read_ending(self, key: WorkloadKey) -> dict[str, Any] | None:
        """What is written there, None when it is nothing of ours. The workload can write into it as well."""
        path = self.ending(key)
        try:
            is_small = path.stat().st_size <= LARGEST_ENDING
        except OSError:
            return None
        return record.read_json(str(path)) if is_small else None

    def enlist(self, key: WorkloadKey) -> None:
        """Enters the workload into the list."""
        (self.root / _LIVE / key.name).touch()

    def delist(self, key: WorkloadKey) -> None:
        """Takes it out of the list."""
        (self.root / _LIVE / key.name).unlink(missing_ok=True)

    def is_listed(self, key: WorkloadKey) -> bool:
        """Whether it was started here and not removed."""
        return (self.root / _LIVE / key.name).exists()

    def listed(self) -> list[WorkloadKey]:
        """All that were started here and not removed, by name."""
        keys = []
        for name in sorted(os.listdir(self.root / _LIVE)):
            with contextlib.suppress(ValueError):
                keys.append(WorkloadKey.parse(name))
        return keys

    @contextlib.contextmanager
    def starting(self, key: WorkloadKey) -> Iterator[bool]:
        """Whether the caller is the one that starts this workload now; another may be at it."""
        descriptor = os.open(self.folder(key) / record.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield record.take_lock(descriptor)
        finally:
            os.close(descriptor)

    def is_starting(self, key: WorkloadKey) -> bool:
        """Whether somebody is starting it at this moment."""
        return record.is_locked(str(self.folder(key) / record.LOCK))

    def read_status(self, key: WorkloadKey) -> dict[str, Any] | None:
        """The record, None before the start."""
        return record.read_json(str(self.folder(key) / record.STATUS))

    def write_running(self, key: WorkloadKey, started_at: float) -> None:
        """Records that it runs, unless its end is recorded already."""
        values = {"phase": Phase.RUNNING.value, "started_at": started_at}
        record.write_json_once(str(self.folder(key) / record.STATUS), values)

    def write_ended(self, key: WorkloadKey, values: Mapping[str, Any]) -> None:
        """Records the end; the first one stays."""
        known = self.read_status(key)
        if known is None or known.get("phase") != Phase.ENDED:
            status = {**(known or {}), "finished_at": time.time(), **values, "phase": Phase.ENDED.value}
            record.write_json(str(self.folder(key) / record.STATUS), status)
            record.tell_ended(str(self.root))

    def write_lost(self, key: WorkloadKey, message: str) -> None:
        """Records that nobody knows how it ended, unless that is known."""
        self.write_ended(key, {"cause": Cause.LOST.value, "message": message})

    def write_absent(self, key: WorkloadKey) -> None:
        """Records that its container has disappeared, unless its end is known."""
        self.write_lost(key, "Its container has disappeared: somebody removed it, or the engine lost its data.")

    def forget_start(self, key: WorkloadKey) -> None:
        """Takes back that it was started: nothing of it has run."""
        (self.folder(key) / record.STATUS).unlink(missing_ok=True)

    def read_stop(self, key: WorkloadKey) -> dict[str, Any] | None:
        """Why it shall end: `{"cause", "message", "at"}`."""
        return record.read_json(str(self.folder(key) / record.STOP))

    def order_stop(self, key: WorkloadKey, *, cause: Cause, message: str) -> None:
        """Records why it shall end; the first reason stays."""
        values = {"cause": cause.value, "message": message, "at": time.time()}
        record.write_json_once(str(self.make(key) / record.STOP), values)

    def status(self, key: WorkloadKey) -> WorkloadStatus | None:
        """What the records say of it, None when it never started here."""
        values = self.read_status(key)
        if values is None:
            is_starting = self.is_listed(key) and self.is_starting(key)
            # Its start may have ended between the two looks.
            values = self.read_status(key) or ({"phase": Phase.STARTING.value} if is_starting else None)
        return None if values is None else status_of(key, values)


def status_of(key: WorkloadKey, values: Mapping[str, Any]) -> WorkloadStatus:
    """The status that a record stands for. One that makes no sense reads as lost."""
    phase, cause = values.get("phase"), values.get("cause")
    if phase not in list(Phase) or (phase == Phase.ENDED and cause not in list(Cause)):
        return WorkloadStatus(key, Phase.ENDED, Cause.LOST, message="Its record on the host is not readable.")
    return WorkloadStatus(
        key=key,
        phase=Phase(phase),
        cause=Cause(str(cause)) if phase == Phase.ENDED else None,
        exit_code=values.get("exit_code"),
        signal=values.get("signal"),
        message=str(values.get("message", "")),
        peak_memory_bytes=values.get("peak_memory_bytes"),
        started_at=values.get("started_at"),
        finished_at=values.get("finished_at"),
    )

"""Workloads as plain processes of this host, each below a supervisor (`shim/`) that outlives everybody else."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from modelwright.compute.backends.base import (
    BackendError,
    Cause,
    Phase,
    WorkloadKey,
    WorkloadSpec,
    WorkloadStatus,
)
from modelwright.compute.backends.shim import processes, record
from modelwright.compute.backends.shim.limits import ControlGroup
from modelwright.compute.backends.source import prepare_work
from modelwright.compute.backends.trees import remove_tree

_LIVE = ".live"
_LAST_MOMENT = 4e9
_SHIM = f"import sys; sys.path.append({str(Path(__file__).parent)!r}); from shim.main import main; main()"


class ProcessBackend:
    """Runs workloads below `root`, one folder each. `use_cgroups=False` leaves memory to the supervisor's own watch."""

    def __init__(self, root: Path, *, use_cgroups: bool = True) -> None:
        """Makes `root` where it is missing."""
        self.root = root
        self.use_cgroups = use_cgroups
        (root / _LIVE).mkdir(parents=True, exist_ok=True, mode=0o700)

    def folder(self, key: WorkloadKey) -> Path:
        """The folder of the workload, whether or not it exists."""
        return self.root / key.name

    def work_folder(self, key: WorkloadKey) -> Path:
        """The folder that the workload's process starts in (or above it, by `WorkloadSpec.directory`)."""
        return self.folder(key) / record.WORK

    def log_path(self, key: WorkloadKey) -> Path:
        """The file with the workload's standard output and error."""
        return self.folder(key) / record.LOG

    def start(self, spec: WorkloadSpec) -> WorkloadStatus:
        """See `Backend.start`."""
        folder = self.folder(spec.key)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock(spec.key) as lock:
            if lock is None:
                return self.status(spec.key) or WorkloadStatus(spec.key, Phase.STARTING)
            known = record.read_json(str(folder / record.STATUS))
            if known is None:
                (self.root / _LIVE / spec.key.name).touch()
                if stop := record.read_json(str(folder / record.STOP)):
                    record.write_json(str(folder / record.STATUS), {**stop, "phase": Phase.ENDED.value})
                else:
                    prepare_work(folder / record.WORK, source=spec.source, files=spec.files)
                    for name in spec.writable:
                        Path(name).mkdir(mode=0o700, exist_ok=True)
                    self._spawn(spec, lock)
                    return self.status(spec.key) or WorkloadStatus(spec.key, Phase.STARTING)
        # Only now, with the lock given back, does a record without a living supervisor read as lost.
        return self.status(spec.key) or WorkloadStatus(spec.key, Phase.STARTING)

    def stop(self, key: WorkloadKey, *, cause: Cause = Cause.CANCELLED, message: str = "") -> None:
        """See `Backend.stop`."""
        folder = self.folder(key)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = self.status(key)
        if status is not None and status.phase is Phase.ENDED:
            if status.cause is Cause.LOST:
                self._kill_leftovers(key)
            return
        record.write_json_once(str(folder / record.STOP), {"cause": cause.value, "message": message})
        values = record.read_json(str(folder / record.STATUS))
        if values and record.is_locked(str(folder / record.LOCK)):
            # Only to be quick: the supervisor looks for the order by itself.
            with contextlib.suppress(OSError, KeyError, ValueError, TypeError, OverflowError):
                os.kill(int(values["shim_pid"]), signal.SIGTERM)

    def status(self, key: WorkloadKey) -> WorkloadStatus | None:
        """See `Backend.status`."""
        folder = self.folder(key)
        values = record.read_json(str(folder / record.STATUS))
        if values is not None and values.get("phase") == Phase.ENDED:
            return _status(key, values)
        if record.is_locked(str(folder / record.LOCK)):
            return _status(key, values or {"phase": Phase.STARTING.value})
        # The supervisor is gone; it may have written its record between the two looks.
        values = record.read_json(str(folder / record.STATUS))
        if values is None:
            return None
        if values.get("phase") != Phase.ENDED:
            message = "The process that supervised it is gone and left no record: it was killed or the host restarted."
            values = {**values, "phase": Phase.ENDED.value, "cause": Cause.LOST.value, "message": message}
        return _status(key, values)

    def list(self) -> Sequence[WorkloadStatus]:
        """See `Backend.list`."""
        keys = []
        for name in sorted(os.listdir(self.root / _LIVE)):
            with contextlib.suppress(ValueError):
                keys.append(WorkloadKey.parse(name))
        return [status for key in keys if (status := self.status(key)) is not None]

    def remove(self, key: WorkloadKey, *, keep_record: bool = True) -> None:
        """See `Backend.remove`."""
        folder = self.folder(key)
        status = self.status(key)
        if status is not None and status.phase is not Phase.ENDED:
            raise BackendError(f"Workload {key.name} is running and cannot be removed.")
        if status is not None and status.cause is Cause.LOST:
            self._kill_leftovers(key)
        # Its supervisor removes them at the end, unless it was killed.
        remove_tree(folder / record.SECRETS)
        remove_tree(folder / record.WORK if keep_record else folder)
        (self.root / _LIVE / key.name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lock(self, key: WorkloadKey) -> Iterator[int | None]:
        descriptor = os.open(self.folder(key) / record.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor if record.take_lock(descriptor) else None
        finally:
            os.close(descriptor)

    def _spawn(self, spec: WorkloadSpec, lock: int) -> None:
        folder = self.folder(spec.key)
        order = {
            "name": spec.key.name,
            "command": list(spec.command),
            "environment": {**spec.environment, **_devices(spec), record.MARKER: spec.key.name},
            "directory": str(folder / record.WORK / spec.directory),
            "secret_files": dict(spec.secret_files),
            "masked": list(spec.masked),
            "limits": asdict(spec.limits),
            "use_cgroups": self.use_cgroups,
        }
        # An anonymous file: the whole order is there before the supervisor exists, and on no disk.
        with open(os.memfd_create("order"), "w", encoding="utf-8") as stream, self._shim_log(folder) as errors:
            json.dump(order, stream)
            stream.flush()
            arguments = [str(folder), str(stream.fileno()), str(lock)]
            supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _SHIM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=(stream.fileno(), lock),
                env={},
                cwd="/",
            )
            # It forks at once, so that no starter is left with a zombie.
            if supervisor.wait() != 0:
                text = (folder / "shim.log").read_text(errors="replace")[-2000:]
                raise BackendError(f"The supervisor of workload {spec.key.name} could not be started: {text}")

    @contextlib.contextmanager
    def _shim_log(self, folder: Path) -> Iterator[int]:
        descriptor = os.open(folder / "shim.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _kill_leftovers(self, key: WorkloadKey) -> None:
        for _ in range(100):
            left = processes.marked(f"{record.MARKER}={key.name}")
            if not left:
                break
            processes.send(left, signal.SIGKILL)
            time.sleep(0.02)
        ControlGroup.for_workload(key.name).remove_existing()


def _devices(spec: WorkloadSpec) -> dict[str, str]:
    """Shows the workload its own GPUs and no others. It is its libraries that keep to that, not the kernel."""
    indexes = ",".join(str(index) for index in spec.gpus)
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": indexes}


def _status(key: WorkloadKey, values: dict[str, object]) -> WorkloadStatus:
    # The workload itself may have written into its folder: whatever makes no sense reads as lost.
    phase, cause = values.get("phase"), values.get("cause")
    if phase not in list(Phase) or (phase == Phase.ENDED and cause not in list(Cause)):
        return WorkloadStatus(key, Phase.ENDED, Cause.LOST, message="Its record on the host is not readable.")
    return WorkloadStatus(
        key=key,
        phase=Phase(str(phase)),
        cause=Cause(str(cause)) if phase == Phase.ENDED else None,
        message=str(values.get("message") or ""),
        exit_code=_whole(values.get("exit_code"), 2**31),
        signal=_whole(values.get("signal"), 2**31),
        peak_memory_bytes=_whole(values.get("peak_memory_bytes"), 2**63),
        started_at=_seconds(values.get("started_at")),
        finished_at=_seconds(values.get("finished_at")),
    )


def _whole(value: object, limit: int) -> int | None:
    return value if isinstance(value, int) and -limit <= value < limit else None


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < _LAST_MOMENT else None

"""The supervisor's life: read the order, start the child, watch it, end it when it must end, record how it ended.

Started by the process backend as `python -I -S -c "…" <folder> <order descriptor> <lock descriptor>`. The order is a
JSON object in an open file, so that secrets stand neither on disk nor on a command line.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

from . import processes, record
from .child import become_subreaper, spawn
from .limits import ControlGroup
from .log import BoundedLog
from .masking import Masker

_CHUNK = 256 * 1024
_PAUSE_WATCHING_MEMORY = 0.05
_PAUSE = 0.25


class Supervisor:
    """One workload from fork to record."""

    def __init__(self, folder: str, order: dict[str, Any]) -> None:
        """`order` holds the fields of `WorkloadSpec` that it needs by name."""
        self.folder = folder
        self.order = order
        self.limits: dict[str, Any] = order["limits"]
        self.group = ControlGroup.for_workload(order["name"])
        self.log = BoundedLog(os.path.join(folder, record.LOG), limit=self.limits["log_bytes"])
        self.masker = Masker([text.encode() for text in order.get("masked", [])])
        self.pid = 0
        self.wait_status: int | None = None
        self.reason: dict[str, Any] | None = None
        self.term_sent_at: float | None = None
        self.deadline: float | None = None
        self.peak = 0
        self.started_at = time.time()
        self._output = -1
        self._next_sample = 0.0

    def run(self) -> None:
        """Runs the workload to its end and writes the record."""
        wake, wake_writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_writing, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        # Only now: whoever reads this process's id there may send it a signal at once.
        self._record("starting")
        if self.order["use_cgroups"]:
            self.group.create(
                cpu=self.limits["cpu"],
                cpu_hard=self.limits["cpu_hard"],
                memory_bytes=self.limits["memory_bytes"],
                processes=self.limits["processes"],
            )
        self._write_secrets()
        problem = self._start()
        if not problem:
            self._record("running", child_pid=self.pid)
            self._watch(wake)
        self._finish(problem)

    def _write_secrets(self) -> None:
        """Before the workload starts. A disk that is full shows when it looks for them."""
        self._remove_secrets()
        folder = os.path.join(self.folder, record.SECRETS)
        files: dict[str, str] = self.order.get("secret_files", {})
        if files:
            os.mkdir(folder, 0o700)
        for name, text in files.items():
            descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8", newline="") as stream, contextlib.suppress(OSError):
                stream.write(text)

    def _remove_secrets(self) -> None:
        folder = os.path.join(self.folder, record.SECRETS)
        # The workload may have written there; whoever removes its folder removes that.
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, name))
            os.rmdir(folder)

    def _on_signal(self, number: int, frame: object) -> None:
        if number != signal.SIGCHLD and self.reason is None:
            # The order to stop is a file; a bare signal means that the host is going down.
            self.reason = record.read_json(os.path.join(self.folder, record.STOP)) or {
                "cause": "lost",
                "message": f"The supervisor received {signal.Signals(number).name}: the host was being shut down.",
            }

    def _start(self) -> str:
        self._output, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._output, False)
        timeout = self.limits["timeout_seconds"]
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.started_at = time.time()
        self.pid, answer = spawn(
            self.order["command"],
            environment=self.order["environment"],
            directory=self.order["directory"],
            output=writing,
            group=self.group,
            open_files=self.limits["open_files"],
        )
        os.close(writing)
        with open(answer, "rb") as stream:
            return stream.read().decode(errors="replace")

    def _watch(self, wake: int) -> None:
        poller = select.poll()
        poller.register(wake, select.POLLIN)
        poller.register(self._output, select.POLLIN)
        while self.wait_status is None:
            for descriptor, _ in poller.poll(self._pause() * 1000):
                if descriptor == wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 512)
                elif not self._copy_output():
                    poller.unregister(self._output)
            self.wait_status = processes.reap().get(self.pid)
            if self.wait_status is None:
                self._enforce()

    def _pause(self) -> float:
        sampling = self.limits["memory_bytes"] is not None and not self.group.limits_memory
        pause = _PAUSE_WATCHING_MEMORY if sampling else _PAUSE
        moments = [moment for moment in (self.deadline, self._kill_at()) if moment is not None]
        return max(0.0, min([pause, *(moment - time.monotonic() for moment in moments if moment > time.monotonic())]))

    def _kill_at(self) -> float | None:
        return None if self.term_sent_at is None else self.term_sent_at + float(self.limits["grace_seconds"])

    def _copy_output(self) -> bool:
        try:
            data = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return True
        self.log.write(self.masker.feed(data))
        return bool(data)

    def _enforce(self) -> None:
        self._measure()
        now = time.monotonic()
        if self.reason is None:
            self.reason = record.read_json(os.path.join(self.folder, record.STOP))
        if self.reason is None and self.deadline is not None and now >= self.deadline:
            seconds = self.limits["timeout_seconds"]
            self.reason = {
                "cause": "timed_out",
                "message": f"It ran longer than its time limit of {seconds:g} seconds.",
            }
        if self.reason is None:
            return
        if self.term_sent_at is None and self.reason["cause"] != "out_of_memory":
            self.term_sent_at = now
            processes.send(processes.descendants(os.getpid()), signal.SIGTERM)
        kill_at = self._kill_at()
        if kill_at is None or now >= kill_at:
            self.wait_status = processes.kill_descendants(os.getpid()).get(self.pid)

    def _measure(self) -> None:
        now = time.monotonic()
        if now < self._next_sample:
            return
        limit = self.limits["memory_bytes"]
        watched = limit is not None and not self.group.limits_memory
        self._next_sample = now + (_PAUSE_WATCHING_MEMORY if watched else _PAUSE) / 2
        pids = processes.descendants(os.getpid())
        used = processes.resident_bytes(pids)
        if used > self.peak:
            # Resident memory counts shared pages once per process; the exact figure is read only where it matters.
            used = processes.proportional_bytes(pids) or used
        self.peak = max(self.peak, used)
        if watched and used > limit and self.reason is None:
            self.reason = {"cause": "out_of_memory", "message": memory_message(limit)}

    def _finish(self, problem: str) -> None:
        ended = processes.kill_descendants(os.getpid())
        if self.wait_status is None:
            ended.update(processes.reap())
            self.wait_status = ended.get(self.pid)
        os.set_blocking(self._output, False)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._output, _CHUNK):
                self.log.write(self.masker.feed(data))
        self.log.write(self.masker.rest())
        self._remove_secrets()
        if problem:
            self.log.write(problem.encode() + b"\n")
        self.log.close()
        code, number = exit_of(self.wait_status)
        cause, message = self._verdict(problem, code, number)
        self.group.remove()
        self._record(
            "ended",
            cause=cause,
            message=message,
            exit_code=code,
            signal=number,
            peak_memory_bytes=self._peak_memory(),
            finished_at=time.time(),
        )

    def _peak_memory(self) -> int | None:
        # ru_maxrss sees short peaks that fall between two samples, but only one process at a time.
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        return max(self.peak, largest) or None

    def _verdict(self, problem: str, code: int | None, number: int | None) -> tuple[str, str]:
        if problem:
            return "failed", problem
        if self.reason is not None:
            return str(self.reason["cause"]), str(self.reason.get("message", ""))
        if code == 0:
            return "succeeded", ""
        if self.group.memory_kills():
            return "out_of_memory", memory_message(self.limits["memory_bytes"])
        if number is not None:
            return "failed", f"It was ended by signal {number} ({signal_name(number)}) that the platform did not send."
        return "failed", f"It ended with exit code {code}."

    def _record(self, phase: str, **values: Any) -> None:
        fixed = {"phase": phase, "shim_pid": os.getpid(), "started_at": self.started_at}
        with contextlib.suppress(OSError):  # A full disk: the workload goes on, its end is then found as lost.
            record.write_json(os.path.join(self.folder, record.STATUS), {**fixed, **values})
        if phase == "ended":
            record.tell_ended(os.path.dirname(self.folder))


def exit_of(wait_status: int | None) -> tuple[int | None, int | None]:
    """(exit code, signal) of a wait status; one of them is None."""
    if wait_status is None:
        return None, None
    if os.WIFSIGNALED(wait_status):
        return None, os.WTERMSIG(wait_status)
    return os.WEXITSTATUS(wait_status), None


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; `unknown` for real-time signals and other numbers without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def memory_message(limit: int) -> str:
    """What a person reads when the memory limit ended the workload."""
    return f"It needed more than its memory limit of {limit / 2**30:.2f} GiB."


def main() -> None:
    """Reads the order, leaves the starter's session and process tree, and runs the workload."""
    folder, order_descriptor, lock_descriptor = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(lock_descriptor, False)
    with open(order_descriptor, encoding="utf-8") as stream:
        stream.seek(0)
        order = json.load(stream)
    if os.fork():
        os._exit(0)
    os.setsid()
    become_subreaper()
    Supervisor(folder, order).run()

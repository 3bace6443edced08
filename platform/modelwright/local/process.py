"""A program of the platform and the child process that runs it."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_LOG_BYTES = 50 * 1024 * 1024

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Program:
    """What to run and how to know that it is ready."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    ready: Callable[[], bool]
    after: Sequence[str] = ()
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    ready_seconds: float = 120.0
    title: str = ""
    """What a person reads when it is ready; without one nothing is said."""
    before_start: Callable[[], None] | None = None
    """Called before each start, the first and every later one."""
    when_ready: Callable[[], None] | None = None
    """Called once it is ready for the first time, before what comes after it starts."""
    before_stop: Callable[[], None] | None = None
    """Called once, before it is asked to stop with everything else and while it still runs."""
    once: bool = False
    """A program that ends by itself; others wait until it has ended well."""


@dataclass
class Child:
    """A started program, leader of its own process group. Its output goes to `log`."""

    program: Program
    log: Path
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_code(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        return self.process.poll()

    def signal_group(self, number: int) -> None:
        """Send a signal to the whole group; one that is gone already is no error."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def ask_to_stop(self) -> None:
        """Ask the leader alone: it knows in which order to stop what it started."""
        if self.exit_code() is None:
            self.process.send_signal(self.program.stop_signal)

    def wait_or_kill(self, seconds: float) -> int:
        """Wait for the end; after `seconds` kill the group. What the leader left behind in its group is killed too."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal_group(signal.SIGKILL)
        code = self.process.wait()
        self.signal_group(signal.SIGKILL)
        return code

    def last_lines(self, count: int = 15) -> list[str]:
        """The end of its log, for messages."""
        return last_lines(self.log, count)


def start(program: Program, log: Path) -> Child:
    """Start `program` in its own process group. Call it from the main thread only.

    The kernel sends the child its stop signal when this process dies, however it dies, and ties that to the thread
    which started the child.
    """
    if program.before_start is not None:
        program.before_start()
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LONGEST_LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(program.argv),
            env=dict(program.env),
            cwd=program.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=lambda: _die_with_parent(program.stop_signal),  # noqa: PLW1509 - one system call, no lock
            user=program.user,
            group=program.user,
            extra_groups=None if program.user is None else [],
        )
    return Child(program, log, process)


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines of a text file, read from its last 16 KiB; empty when there is no file."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 16_384))
        return file.read().decode(errors="replace").splitlines()[-count:]


def wait_until(ready: Callable[[], bool], child: Child, seconds: float) -> None:
    """Poll `ready` until it holds. Raises `RuntimeError` with the log's end when the child ends or time is up."""
    deadline = time.monotonic() + seconds
    while not ready():
        code = child.exit_code()
        if code is not None or time.monotonic() > deadline:
            what = f"ended with code {code}" if code is not None else f"was not ready after {seconds:.0f} s"
            raise RuntimeError(
                "\n".join([f"{child.program.name} {what}. Its log {child.log} ends:", *child.last_lines()])
            )
        time.sleep(0.02)


def _die_with_parent(number: int) -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)

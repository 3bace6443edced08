"""Starts the workload's own process: session, limits, working directory, environment, then exec."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Mapping, Sequence

from .limits import ControlGroup, apply_rlimits

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """From here on, orphaned descendants become children of this process instead of escaping to init."""
    if _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: str,
    output: int,
    group: ControlGroup,
    open_files: int | None,
) -> tuple[int, int]:
    """Forks and executes the command; returns its process id and a descriptor that says whether exec worked.

    That descriptor gives end-of-file when exec worked and a message otherwise. The child dies with this process.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        _run(command, environment=environment, directory=directory, output=output, group=group, open_files=open_files)
    except BaseException as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        os.write(writing, f"The command {command[0]!r} could not be started: {text}.".encode())
    finally:
        os._exit(127)


def _run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: str,
    output: int,
    group: ControlGroup,
    open_files: int | None,
) -> None:
    supervisor = os.getppid()
    os.setsid()
    _libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        os._exit(127)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    group.enter()
    apply_rlimits(open_files=open_files)
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(directory)
    os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - no shell is what is wanted

"""The tree of processes below one process, read from /proc: who is in it, how much memory it uses, how to end it."""

from __future__ import annotations

import contextlib
import os
import signal
import time

PAGE = os.sysconf("SC_PAGE_SIZE")


def descendants(root: int) -> list[int]:
    """All living processes below `root`, without it. A subreaper's tree holds also those that were daemonised."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        children = _children(waiting.pop())
        found.extend(children)
        waiting.extend(children)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return children
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as stream:
            children.extend(int(child) for child in stream.read().split())
    return children


def resident_bytes(pids: list[int]) -> int:
    """Sum of the resident memory of the processes; pages that they share count once for each."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/statm") as stream:
            total += int(stream.read().split()[1]) * PAGE
    return total


def proportional_bytes(pids: list[int]) -> int:
    """Sum of the memory of the processes in which shared pages count once in all. Dearer than `resident_bytes`."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/smaps_rollup") as stream:
            for line in stream:
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
                    break
    return total


def send(pids: list[int], number: int) -> None:
    """Sends the signal to each; those that are gone already are passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def reap() -> dict[int, int]:
    """Collects every child that has ended: process id -> wait status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def kill_descendants(root: int, *, seconds: float = 10.0) -> dict[int, int]:
    """Kills all that is below `root`, which must be the caller, however fast it forks; returns what was reaped."""
    ended: dict[int, int] = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        living = descendants(root)
        if not living:
            break
        send(living, signal.SIGKILL)
        time.sleep(0.002)
        ended.update(reap())
    return ended


def marked(marker: str) -> list[int]:
    """Processes of this host whose environment holds the entry `marker` (`NAME=value`), whoever their parent is."""
    wanted = marker.encode()
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/environ", "rb") as stream:
                if wanted in stream.read().split(b"\0"):
                    found.append(int(entry))
    return found

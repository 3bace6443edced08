"""What the processes of a session use and do, as Linux tells it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """Of all living processes together."""

    cpu_seconds: float
    memory_bytes: int
    processes: int


def usage_below(root: int) -> Usage:
    """Of a process and all that it started. Who ends while we look is left out."""
    found: dict[int, tuple[int, float, int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            facts = _facts(int(name))
            if facts is not None:
                found[int(name)] = facts
    ours, grew = {root}, True
    while grew:
        more = {pid for pid, (parent, _, _) in found.items() if parent in ours} - ours
        grew = bool(more)
        ours |= more
    mine = [found[pid] for pid in ours if pid in found]
    return Usage(sum(one[1] for one in mine), sum(one[2] for one in mine), len(mine))


def is_asking(folder: Path) -> bool:
    """Whether a Git that works in the folder asks a server now."""
    return any(name.isdigit() and _asks(Path("/proc", name), folder.resolve()) for name in os.listdir("/proc"))


def _asks(process: Path, folder: Path) -> bool:
    try:
        # `git fetch` has a program of its own speak to the server, from its first word until the names are moved.
        if not (process / "comm").read_text().startswith("git-remote-"):
            return False
        return (process / "cwd").resolve(strict=True).is_relative_to(folder)
    except OSError:
        return False


def _facts(pid: int) -> tuple[int, float, int] | None:
    """The parent, seconds of CPU (with those of ended children), and bytes of memory."""
    try:
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return int(after[1]), sum(map(int, after[11:15])) / _TICKS, resident * _PAGE

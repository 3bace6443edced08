"""Watches how much workloads write into their working folders, where the kernel bounds single files only."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from modelwright.compute.backends.base import WorkloadKey

LEAST_SECONDS = 1.0
# Looking may cost at most this share of the time.
SHARE = 0.05


class SpaceWatch:
    """Looks at each folder again after a pause that grows with the time that looking takes."""

    def __init__(self, limit: int) -> None:
        """`limit` in bytes for one working folder."""
        self._limit = limit
        self._next: dict[WorkloadKey, float] = {}

    def forget_all_but(self, keys: set[WorkloadKey]) -> None:
        """Those that have ended are looked at no more."""
        self._next = {key: moment for key, moment in self._next.items() if key in keys}

    def problem(self, key: WorkloadKey, folder: Path, *files: Path, beside: Iterable[Path] = ()) -> str | None:
        """What is wrong with the size of all, None when nothing is or it is not yet time to look.

        `beside` are folders that it may have besides, such as that of its socket.
        """
        began = time.monotonic()
        if began < self._next.get(key, 0.0):
            return None
        used = sum(map(used_bytes, (folder, *beside)))
        used += sum(path.stat().st_blocks * 512 for path in files if path.exists())
        now = time.monotonic()
        self._next[key] = now + max(LEAST_SECONDS, (now - began) / SHARE)
        if used <= self._limit:
            return None
        if used >= sys.maxsize:
            return "It made a folder in its working folder that this host cannot look into, so its size is not known."
        return (
            f"It wrote {used / 2**30:.2f} GiB into its working folder; this host allows {self._limit / 2**30:.2f} GiB."
        )


def used_bytes(folder: Path) -> int:
    """Bytes on disk of everything below the folder; links are not followed.

    `sys.maxsize` where a folder cannot be looked into: whoever closes one, or nests them too deep, would hide files.
    """
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG):
                return sys.maxsize
    return total

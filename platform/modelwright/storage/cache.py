"""Verified copies of blobs on this host's disk, as many as fit a bound."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from modelwright.storage.blobs import check_digest, copy

# Long enough for whoever was given a path to open it.
KEPT_SECONDS = 3600
_SWEEP_SECONDS = 60
_INCOMING = "incoming"


class Cache:
    """Copies below `root`, each at `ab/cdef…`. The modification time is when somebody last asked for the copy.

    Beyond `limit_bytes` the longest unused go, but none that was asked for during the last hour.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        """Makes `root` where it is missing."""
        self.root = root
        self.limit_bytes = limit_bytes
        self._swept_at = float("-inf")

    def find(self, sha256: str) -> Path | None:
        """The verified copy, or None. One that was changed is thrown away."""
        path = self._path(sha256)
        try:
            with path.open("rb") as file:
                found = copy(file, None)[0]
            if found == sha256:
                os.utime(path)
                return path
        except FileNotFoundError:
            return None
        path.unlink(missing_ok=True)
        return None

    def fill(self, sha256: str, fetch: Callable[[BinaryIO], None]) -> Path:
        """Keep what `fetch` writes as the copy of `sha256`. Raises Unavailable when it is something else."""
        descriptor, name = tempfile.mkstemp(dir=self.incoming())
        try:
            with os.fdopen(descriptor, "w+b") as file:
                _fetch_checked(sha256, fetch, file)
                os.fchmod(file.fileno(), 0o444)
            path = self._path(sha256)
            path.parent.mkdir(exist_ok=True)
            os.replace(name, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
        self._sweep()
        return path

    @contextmanager
    def passing(self, sha256: str, fetch: Callable[[BinaryIO], None]) -> Iterator[BinaryIO]:
        """What `fetch` writes, verified, in a file that is gone afterwards."""
        with tempfile.TemporaryFile(dir=self.incoming()) as file:
            _fetch_checked(sha256, fetch, file)
            yield file

    def forget(self, sha256: str) -> None:
        """Throw the copy away."""
        self._path(sha256).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256[2:]

    def incoming(self) -> Path:
        """The folder for what is on its way, in or out."""
        folder = self.root / _INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _sweep(self) -> None:
        if time.monotonic() - self._swept_at < _SWEEP_SECONDS:
            return
        self._swept_at = time.monotonic()
        sweep(self.root, self.limit_bytes)


def sweep(root: Path, limit_bytes: int, *, kept_seconds: float = KEPT_SECONDS) -> None:
    """Bring the copies below `root` under the bound; what a killed download left goes too."""
    now, total = time.time(), 0
    found: list[tuple[float, int, Path]] = []
    for path in root.glob("*/*"):
        # Others sweep the same folder.
        with suppress(FileNotFoundError):
            facts = path.stat()
            total += facts.st_size
            found.append((facts.st_mtime, facts.st_size, path))
    for used_at, size, path in sorted(found):
        if now - used_at < kept_seconds:
            return
        if total > limit_bytes or path.parent.name == _INCOMING:
            path.unlink(missing_ok=True)
            total -= size


def _fetch_checked(sha256: str, fetch: Callable[[BinaryIO], None], file: BinaryIO) -> None:
    fetch(file)
    file.seek(0)
    check_digest(sha256, copy(file, None)[0])
    file.seek(0)

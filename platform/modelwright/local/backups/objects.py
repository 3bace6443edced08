"""The files of all backups in one folder, each kept once under the SHA-256 of its content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

CHUNK = 1024 * 1024


class Damaged(Exception):
    """A file of a backup is missing or is not what its name says; the text says which."""


class Objects:
    """Files below `root`, each at `ab/cdef…`. What is there already is not written again."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where a content lies, whether or not it is there."""
        return self.root / sha256[:2] / sha256[2:]

    def put(self, file: Path) -> tuple[str, int]:
        """Keep a file as it is now; return its SHA-256 and its size in bytes. Raises OSError."""
        with file.open("rb") as source, self._incoming() as target:
            sha256, size = _copy(source, target)
            self._keep(Path(target.name), sha256, size)
        return sha256, size

    def put_known(self, file: Path, sha256: str) -> int:
        """Keep a file whose name is its SHA-256, without reading it again when it is there; return its size.

        Raises Damaged when its content is not what the name says.
        """
        size = file.stat().st_size
        final = self.path(sha256)
        if final.is_file() and final.stat().st_size == size:
            return size
        found, size = self.put(file)
        if found != sha256:
            raise Damaged(f"{file} was changed after it was stored: its SHA-256 is {found}.")
        return size

    def check(self, sha256: str, size: int) -> None:
        """Read a content. Raises Damaged unless it is what its name says."""
        try:
            with self.path(sha256).open("rb") as file:
                found, read = _copy(file, None)
        except OSError as error:
            raise Damaged(f"{self.path(sha256)} cannot be read: {error.strerror}.") from None
        if (found, read) != (sha256, size):
            raise Damaged(f"{self.path(sha256)} was changed: it has {read} bytes and the SHA-256 {found}.")

    def copy_to(self, sha256: str, target: Path, mode: int) -> None:
        """Make the new file `target` of it. Raises FileExistsError, Damaged."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.path(sha256).open("rb") as source, target.open("xb") as file:
            found, _ = _copy(source, file)
            os.fchmod(file.fileno(), mode)
        if found != sha256:
            raise Damaged(f"{self.path(sha256)} was changed: its SHA-256 is {found}.")

    @contextmanager
    def _incoming(self) -> Iterator[BinaryIO]:
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.root, prefix=".incoming-", delete=False) as target:
            try:
                yield target  # type: ignore[misc]  # a temporary file reads and writes like any other
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(target.name)

    def _keep(self, temporary: Path, sha256: str, size: int) -> None:
        final = self.path(sha256)
        if final.is_file() and final.stat().st_size == size:
            return
        final.parent.mkdir(exist_ok=True)
        temporary.chmod(0o400)
        temporary.replace(final)


def _copy(source: BinaryIO, target: BinaryIO | None) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    if target is not None:
        target.flush()
    return digest.hexdigest(), size

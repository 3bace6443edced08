"""Blobs: immutable files named by the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from modelwright.core.errors import Unavailable, ValidationFailed

CHUNK = 1024 * 1024
_DIGEST = re.compile(r"\A[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored content: its SHA-256 in hex and its size in bytes."""

    sha256: str
    size: int


class BlobStore:
    """Blobs below `root`, each at `ab/cdef…`. Storing the same content twice keeps it once."""

    def __init__(self, root: Path) -> None:
        """Makes `root` where it is missing."""
        self.root = root
        (root / "incoming").mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the blob lies, whether or not it exists. Raises ValidationFailed when `sha256` is no digest."""
        if not _DIGEST.match(sha256):
            raise ValidationFailed(f"{sha256[:80]!r} is no SHA-256.", remedy="Give 64 hexadecimal digits.")
        return self.root / sha256[:2] / sha256[2:]

    def has(self, sha256: str) -> bool:
        """Whether the blob is stored."""
        return self.path(sha256).is_file()

    def put_bytes(self, content: bytes) -> Blob:
        """Store `content`; it is on the disk when this returns."""
        return self.put_stream(io.BytesIO(content))

    def put_file(self, path: Path) -> Blob:
        """Store the content of a regular file. Raises ValidationFailed for a symbolic link or anything else."""
        with open_regular(path) as file:
            return self.put_stream(file)

    def put_stream(self, stream: BinaryIO) -> Blob:
        """Store what `stream` holds; it is on the disk when this returns."""
        descriptor, name = tempfile.mkstemp(dir=self.root / "incoming")
        try:
            with os.fdopen(descriptor, "wb") as target:
                sha256, size = copy(stream, target)
                target.flush()
                os.fchmod(target.fileno(), 0o444)
                os.fsync(target.fileno())
            self._keep(Path(name), self.path(sha256), size)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
        return Blob(sha256, size)

    @contextmanager
    def open(self, sha256: str, *, verify: bool = False) -> Iterator[BinaryIO]:
        """The blob for reading. Raises Unavailable when it is missing or, with `verify`, not what its name says."""
        try:
            file = self.path(sha256).open("rb")
        except FileNotFoundError:
            raise Unavailable(
                f"The stored file {sha256} is missing.", remedy="Restore the folder `blobs` from a backup."
            ) from None
        with file:
            if verify:
                check_digest(sha256, copy(file, None)[0])
                file.seek(0)
            yield file

    def read(self, sha256: str) -> bytes:
        """The verified content of a small blob."""
        with self.open(sha256) as file:
            content = file.read()
        check_digest(sha256, hashlib.sha256(content).hexdigest())
        return content

    def _keep(self, temporary: Path, final: Path, size: int) -> None:
        if final.is_file() and final.stat().st_size == size:
            return
        if not final.parent.is_dir():
            final.parent.mkdir(exist_ok=True)
            sync_folder(self.root)
        temporary.replace(final)
        sync_folder(final.parent)


def copy(source: BinaryIO, target: BinaryIO | None) -> tuple[str, int]:
    """Copy `source` to `target` (nowhere when None); return the SHA-256 and the size of what was read."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return digest.hexdigest(), size


def check_digest(expected: str, found: str) -> None:
    """Raise Unavailable when a stored content is not what its name says."""
    if expected != found:
        raise Unavailable(
            f"The stored file {expected} was changed after it was stored: its SHA-256 is now {found}.",
            remedy="Restore the folder `blobs` from a backup; find out who wrote to it.",
        )


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file for reading. Raises ValidationFailed when it is a symbolic link, a device, a pipe or a folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValidationFailed(f"{path.name} cannot be read as a plain file: {error.strerror}.") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValidationFailed(f"{path.name} is not a plain file.", remedy="Store plain files and folders only.")
        yield file


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

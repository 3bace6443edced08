"""Blobs: immutable files named by the SHA-256 of their content. What a store promises, and what all stores share."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from modelwright.core.errors import Unavailable, ValidationFailed

CHUNK = 1024 * 1024
_DIGEST = re.compile(r"\A[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored content: its SHA-256 in hex and its size in bytes."""

    sha256: str
    size: int


class Readable(Protocol):
    """What a store asks of a stream."""

    def read(self, size: int = ..., /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class BlobStore(Protocol):
    """Blobs by their SHA-256. Storing the same content twice keeps it once.

    A put is whole or nothing: a blob that is there is complete, whoever was killed meanwhile. Every method raises
    ValidationFailed for what is no digest, and Unavailable, naming the store, when the store does not answer.
    """

    @property
    def address(self) -> str:
        """Where the blobs are: a folder, or `s3://bucket/prefix`. Without credentials."""
        ...

    def has(self, sha256: str) -> bool:
        """Whether the blob is stored."""
        ...

    def size(self, sha256: str) -> int:
        """Its bytes. Raises Unavailable when it is missing."""
        ...

    def put_bytes(self, content: bytes) -> Blob:
        """Store `content`; it lasts when this returns."""
        ...

    def put_file(self, path: Path) -> Blob:
        """Store the content of a regular file. Raises ValidationFailed for a symbolic link or anything else."""
        ...

    def put_stream(self, stream: Readable) -> Blob:
        """Store what `stream` holds from where it stands to its end; it lasts when this returns."""
        ...

    def open(self, sha256: str, *, verify: bool = False) -> AbstractContextManager[BinaryIO]:
        """The blob for reading, from its beginning, with `seek`.

        Raises Unavailable when it is missing or, with `verify`, not what its name says. What came over a network is
        always verified.
        """
        ...

    def read(self, sha256: str) -> bytes:
        """The verified content of a small blob."""
        ...

    def local_copy(self, sha256: str) -> Path:
        """A read-only file of this host's disk with the verified content.

        Open or copy it soon: a store that is not on this host lets go of files that nobody asked for during the last
        hour. Never hand the path to code of users, and never change or delete the file.
        """
        ...

    def verify(self, sha256: str) -> int:
        """Read the stored blob whole, past any copy; its size. Raises Unavailable when missing or changed."""
        ...

    def delete(self, sha256: str) -> None:
        """Forget the blob. Nothing happens when it is missing."""
        ...

    def blobs(self) -> Iterator[Blob]:
        """All that are stored, in the order of their names. What is put meanwhile may be left out."""
        ...

    def check(self) -> None:
        """Raise Unavailable, within seconds, when the store cannot be used now. Nothing is left in it."""
        ...


def is_name(text: str) -> bool:
    """Whether it is a digest in hex, as blobs are named."""
    return bool(_DIGEST.match(text))


def check_name(sha256: str) -> str:
    """`sha256`, when it is a digest. Raises ValidationFailed otherwise."""
    if not is_name(sha256):
        raise ValidationFailed(f"{sha256[:80]!r} is no SHA-256.", remedy="Give 64 hexadecimal digits.")
    return sha256


def copy(source: Readable, target: BinaryIO | None) -> tuple[str, int]:
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
            remedy="Restore the blobs from a backup; find out who wrote to them.",
        )


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file for reading. Raises ValidationFailed when it is a symbolic link, a device, a pipe or a folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValidationFailed(f"{path.name} cannot be read as a plain file: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValidationFailed(f"{path.name} is not a plain file.", remedy="Store plain files and folders only.")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

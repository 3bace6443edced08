"""Blobs in a folder of this host, or of a file system that all hosts share."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from modelwright.core.errors import Unavailable
from modelwright.storage.blobs import Blob, Readable, check_digest, check_name, copy, open_regular, sync_folder

_INCOMING = "incoming"


class LocalBlobs:
    """Blobs below `root`, each at `ab/cdef…`, read-only, on the disk when a put returns."""

    def __init__(self, root: Path) -> None:
        """Makes `root` where it is missing."""
        self.root = root
        (root / _INCOMING).mkdir(parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        """The folder."""
        return str(self.root)

    def path(self, sha256: str) -> Path:
        """Where the blob lies, whether or not it exists. Raises ValidationFailed when `sha256` is no digest."""
        check_name(sha256)
        return self.root / sha256[:2] / sha256[2:]

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def size(self, sha256: str) -> int:
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            raise self._missing(sha256) from None

    def put_bytes(self, content: bytes) -> Blob:
        return self.put_stream(io.BytesIO(content))

    def put_file(self, path: Path) -> Blob:
        with open_regular(path) as file:
            return self.put_stream(file)

    def put_stream(self, stream: Readable) -> Blob:
        descriptor, name = tempfile.mkstemp(dir=self.root / _INCOMING)
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
        try:
            file = self.path(sha256).open("rb")
        except FileNotFoundError:
            raise self._missing(sha256) from None
        with file:
            if verify:
                check_digest(sha256, copy(file, None)[0])
                file.seek(0)
            yield file

    def read(self, sha256: str) -> bytes:
        with self.open(sha256) as file:
            content = file.read()
        check_digest(sha256, hashlib.sha256(content).hexdigest())
        return content

    def local_copy(self, sha256: str) -> Path:
        """The stored file itself, verified."""
        with self.open(sha256, verify=True):
            return self.path(sha256)

    def verify(self, sha256: str) -> int:
        with self.open(sha256, verify=True) as file:
            return file.seek(0, io.SEEK_END)

    def delete(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def blobs(self) -> Iterator[Blob]:
        for folder in sorted(path for path in self.root.iterdir() if len(path.name) == 2):
            for path in sorted(folder.iterdir()):
                yield Blob(folder.name + path.name, path.stat().st_size)

    def check(self) -> None:
        """A disk that is full or read-only shows when something is written."""
        try:
            with tempfile.NamedTemporaryFile(dir=self.root / _INCOMING) as file:
                file.write(b"checked")
                file.flush()
        except OSError as error:
            raise Unavailable(
                f"The folder of blobs {self.root} takes no files: {error.strerror}.",
                remedy="Make room on its disk, or mount it so that the platform may write there.",
            ) from error

    def _keep(self, temporary: Path, final: Path, size: int) -> None:
        if final.is_file() and final.stat().st_size == size:
            return
        if not final.parent.is_dir():
            final.parent.mkdir(exist_ok=True)
            sync_folder(self.root)
        temporary.replace(final)
        sync_folder(final.parent)

    def _missing(self, sha256: str) -> Unavailable:
        return Unavailable(
            f"The stored file {sha256} is missing in {self.root}.", remedy="Restore the folder `blobs` from a backup."
        )

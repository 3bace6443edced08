"""Manifests: the files of a folder as paths, sizes and digests. A manifest is itself a blob, named by its digest."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from modelwright.core.errors import ValidationFailed
from modelwright.storage.blobs import BlobStore, check_digest, copy, open_regular, sync_folder

MAX_FILES = 100_000


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One file: its path relative to the folder with `/` between the parts, its size in bytes, its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a folder, sorted by path."""

    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    @cached_property
    def content(self) -> bytes:
        """The canonical JSON that the digest is taken of."""
        return json.dumps([asdict(entry) for entry in self.entries], separators=(",", ":"), sort_keys=True).encode()

    def find(self, path: str) -> Entry | None:
        """The file at `path`."""
        return next((entry for entry in self.entries if entry.path == path), None)

    def below(self, folder: str) -> Manifest:
        """The files below `folder`, with paths relative to it."""
        prefix = folder.rstrip("/") + "/"
        return Manifest(
            tuple(
                Entry(entry.path.removeprefix(prefix), entry.size, entry.sha256)
                for entry in self.entries
                if entry.path.startswith(prefix)
            )
        )


def snapshot(store: BlobStore, folder: Path) -> tuple[str, Manifest]:
    """Store every file below `folder`; return the manifest's digest and the manifest.

    Raises ValidationFailed when something in it is neither a plain file nor a folder, such as a symbolic link.
    """
    entries = []
    for path in _files(folder):
        blob = store.put_file(path)
        entries.append(Entry(path.relative_to(folder).as_posix(), blob.size, blob.sha256))
    manifest = Manifest(tuple(sorted(entries)))
    return store.put_bytes(manifest.content).sha256, manifest


def load(store: BlobStore, digest: str) -> Manifest:
    """The stored manifest. Raises Unavailable when it is missing or was changed."""
    entries = tuple(Entry(**values) for values in json.loads(store.read(digest)))
    for entry in entries:
        _check_path(entry.path)
    return Manifest(entries)


def checkout(store: BlobStore, digest: str, target: Path) -> Path:
    """Make `target` hold exactly the files of the manifest, read-only, and return it.

    Files are copied and verified: never links to the store, which code that uses them could then change. An existing
    `target` is verified and made anew where it differs.
    """
    manifest = load(store, digest)
    if target.exists():
        if matches(manifest, target):
            return target
        _remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name[:16]}-", dir=target.parent))
    try:
        for entry in manifest.entries:
            _copy_out(store, entry, temporary / entry.path)
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:
            # Somebody else was faster, which is as good when the result is the same.
            if not matches(manifest, target):
                raise
        sync_folder(target.parent)
    finally:
        _remove(temporary)
    return target


def matches(manifest: Manifest, folder: Path) -> bool:
    """Whether `folder` holds exactly the files of the manifest, by content."""
    try:
        found = []
        for path in _files(folder):
            with open_regular(path) as file:
                sha256, size = copy(file, None)
            found.append(Entry(path.relative_to(folder).as_posix(), size, sha256))
    except (ValidationFailed, FileNotFoundError):
        return False
    return tuple(sorted(found)) == manifest.entries


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for name in folders:
            if (Path(parent) / name).is_symlink():
                raise ValidationFailed(
                    f"{name} is a symbolic link.", remedy="Store plain files and folders only.", field="files"
                )
        for name in names:
            count += 1
            if count > MAX_FILES:
                raise ValidationFailed(f"The folder holds more than {MAX_FILES} files.", field="files")
            yield Path(parent) / name


def _raise(error: OSError) -> None:
    raise error


def _check_path(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValidationFailed(f"{path[:200]!r} leads out of the folder.", field="path")


def _copy_out(store: BlobStore, entry: Entry, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with store.open(entry.sha256) as source, path.open("xb") as target:
        check_digest(entry.sha256, copy(source, target)[0])
        os.fchmod(target.fileno(), 0o444)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)

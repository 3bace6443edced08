"""Brings to this host's disk what a workload needs of the blob store: archives of files, and models."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelwright.compute.backends.base import ArchiveSource, UnavailableError
from modelwright.core.errors import Unavailable
from modelwright.storage import manifests
from modelwright.storage.settings import blob_store, models_folder

logger = logging.getLogger(__name__)

# Larger models are copied beside whoever starts the workload, which must not stand still for minutes.
INLINE_BYTES = 256 * 1024 * 1024


def archive_source(sha256: str) -> ArchiveSource:
    """The stored archive as a file of this host.

    Raises Unavailable when it is missing or damaged, UnavailableError when the store does not answer.
    """
    with _told_apart(sha256):
        return ArchiveSource(str(blob_store().local_copy(sha256)), sha256)


def model_folder(digest: str) -> Path:
    """Where this host keeps the files of the model whose manifest has the digest."""
    return models_folder() / digest


# What a copy that was made beside its caller came to, for whoever asks next.
_failed: dict[str, Unavailable | OSError] = {}


def fetch_model(digest: str) -> Path:
    """The verified, read-only files of the model on this host, copied unless they are there.

    Files that were verified once and have not been touched since are not read again. Raises Unavailable when the
    stored model is missing or damaged, UnavailableError while it is being copied or the store does not answer.
    """
    folder = model_folder(digest)
    if _is_sealed(folder):
        return folder
    with _told_apart(digest):
        size = manifests.load(blob_store(), digest).size
    if size > INLINE_BYTES:
        if (error := _failed.pop(digest, None)) is not None:
            raise error
        threading.Thread(target=_copy_beside, args=(digest,), name=f"model {digest[:12]}", daemon=True).start()
        raise UnavailableError(f"The model {digest[:12]} is being copied to this host.")
    _copy(digest)
    return folder


def _copy_beside(digest: str) -> None:
    try:
        _copy(digest)
    except UnavailableError:
        pass  # Somebody else is at it.
    except (Unavailable, OSError) as error:
        _failed[digest] = error
    except Exception:
        logger.exception("copying model %s to this host", digest)


def _copy(digest: str) -> None:
    folder = model_folder(digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(digest):
        if not _is_sealed(folder):
            with _told_apart(digest):
                manifests.checkout(blob_store(), digest, folder)
            temporary = _seal(folder).with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(json.dumps(_facts(folder)))
            temporary.replace(_seal(folder))


@contextmanager
def _locked(digest: str) -> Iterator[None]:
    with (models_folder() / f".{digest}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UnavailableError(f"The model {digest[:12]} is being copied to this host.") from None
        yield


def _seal(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.seal")


def _is_sealed(folder: Path) -> bool:
    """Whether nothing below `folder` was touched since its content was verified, as far as its file system knows."""
    try:
        return bool(json.loads(_seal(folder).read_text()) == _facts(folder))
    except (OSError, ValueError):
        return False


def _facts(folder: Path) -> list[list[object]]:
    """Path, mode, size, inode and times of each thing below `folder`. No program can set the time of change."""
    found: list[list[object]] = []
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(parent, name)
            facts = os.lstat(path)
            kept = (facts.st_mode, facts.st_size, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns)
            found.append([os.path.relpath(path, folder), *kept])
    return sorted(found, key=lambda row: str(row[0]))


@contextmanager
def _told_apart(digest: str) -> Iterator[None]:
    """A store that does not answer is worth another try; a blob that is missing or damaged is not."""
    try:
        yield
    except Unavailable as error:
        try:
            blob_store().has(digest)
        except Unavailable:
            raise UnavailableError(error.message) from error
        raise

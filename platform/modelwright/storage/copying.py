"""Moving an installation's blobs from one store to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from modelwright.core.errors import PlatformError
from modelwright.storage.blobs import Blob, BlobStore, check_digest

_AT_ONCE = 8
_BATCH = 64
# So many are no single damage: the store is away.
MAX_PROBLEMS = 100


@dataclass
class Copied:
    """How far a copy came. `problems` names what could not be copied, and why."""

    copied: int = 0
    copied_bytes: int = 0
    there_already: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Copied) -> None:
        """Count what another copy did, too."""
        self.copied += other.copied
        self.copied_bytes += other.copied_bytes
        self.there_already += other.there_already
        self.problems += other.problems


def copy_blobs(
    source: BlobStore, target: BlobStore, *, check: bool = False, progress: Callable[[Copied], None] | None = None
) -> Copied:
    """Copy each blob of `source` that `target` lacks; doing it again goes on where it stopped.

    Each is verified on its way: what is damaged in `source` is named and not copied, and the others still are. With
    `check`, what `target` holds is read back too, and copied again where it is damaged. `source` stays as it is.
    Gives up after MAX_PROBLEMS problems.
    """
    result = Copied()
    there = {(blob.sha256, blob.size) for blob in target.blobs()}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for batch in _batches(source.blobs()):
            for blob, problem, is_new in pool.map(lambda blob: _copy_one(source, target, blob, there, check), batch):
                if problem:
                    result.problems.append(problem)
                elif is_new:
                    result.copied += 1
                    result.copied_bytes += blob.size
                else:
                    result.there_already += 1
            if progress:
                progress(result)
            if len(result.problems) >= MAX_PROBLEMS:
                break
    return result


def _copy_one(
    source: BlobStore, target: BlobStore, blob: Blob, there: set[tuple[str, int]], check: bool
) -> tuple[Blob, str, bool]:
    is_new = (blob.sha256, blob.size) not in there
    try:
        if not is_new and check:
            is_new = not _is_sound(target, blob)
        if is_new:
            with source.open(blob.sha256, verify=True) as content:
                check_digest(blob.sha256, target.put_stream(content).sha256)
            if check:
                target.verify(blob.sha256)
    except PlatformError as error:
        return blob, str(error), is_new
    return blob, "", is_new


def _is_sound(store: BlobStore, blob: Blob) -> bool:
    """Whether it reads back; a damaged one is deleted, because a put leaves alone what has the right size."""
    try:
        store.verify(blob.sha256)
    except PlatformError:
        store.delete(blob.sha256)
        return False
    return True


def _batches(blobs: Iterator[Blob]) -> Iterator[list[Blob]]:
    while batch := list(islice(blobs, _BATCH)):
        yield batch

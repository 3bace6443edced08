"""Reads what a workload's processes wrote down about themselves: evidence by user code, so every value is checked."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from modelwright.core.text import storable

# Below the working folder, so that it goes when that goes; the host reads it before.
PRIVATE = ".modelwright"
CAPTURED = "captured"
FILE_KINDS = ("read", "written", "fetched", "sent")
MAX_FILES = 500
MAX_PROCESSES = 200
MAX_RECORD_BYTES = 16 * 1024 * 1024
MAX_HASHED_BYTES = 8 * 1024**3
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ObservedFile:
    """A file below the working folder: its path in it, and its content when the workload had ended."""

    path: str
    sha256: str
    size: int


@dataclass(slots=True)
class Observed:
    """What was seen of a workload. `truncated` says that there was more than is kept."""

    read: list[ObservedFile] = field(default_factory=list)
    written: list[ObservedFile] = field(default_factory=list)
    # Artifacts that it fetched and sent through the tracking address.
    fetched: list[ObservedFile] = field(default_factory=list)
    sent: list[ObservedFile] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)
    truncated: bool = False

    def as_json(self) -> dict[str, Any]:
        """The inverse of `from_json`."""
        return {
            **{name: [[f.path, f.sha256, f.size] for f in getattr(self, name)] for name in FILE_KINDS},
            "processes": self.processes,
            "truncated": self.truncated,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Observed:
        """What a host handed in. Whatever is missing is empty."""
        return cls(
            **{name: [ObservedFile(*row) for row in value.get(name, [])] for name in FILE_KINDS},
            processes=list(value.get("processes", [])),
            truncated=bool(value.get("truncated", False)),
        )


def observe(work: Path, tracked: Iterable[str]) -> Observed:
    """Read the capture files below `work` and hash the files that they name, where these lie below it.

    `tracked` are the paths of its source: reading those is covered by the source. It is asked only where something was
    read. Missing or broken records give an empty result, never an error.
    """
    observed = Observed()
    reads: dict[str, None] = {}
    writes: dict[str, None] = {}
    for record in _records(work / PRIVATE / CAPTURED, observed):
        if record.get("kind") == "process" and len(observed.processes) < MAX_PROCESSES:
            observed.processes.append(_process(record))
        path = _below(work, record.get("path"))
        if path is not None:
            (writes if record.get("kind") == "write" else reads).setdefault(path)
    known = set(tracked) if reads else set()
    budget = MAX_HASHED_BYTES
    for names, found in ((reads, observed.read), (writes, observed.written)):
        for name in names:
            if names is reads and (name in writes or name in known):
                continue
            if len(found) == MAX_FILES or budget <= 0:
                observed.truncated = True
                break
            file = hash_below(work, name, budget)
            if file is not None:
                budget -= file.size
                found.append(file)
    return observed


def hash_below(work: Path, name: str, limit: int) -> ObservedFile | None:
    """The file's digest; None for what is gone, no regular file, behind a link that leads out, or over the limit."""
    path = work / name
    try:
        return _hash(path, name, limit) if path.resolve(strict=True).is_relative_to(work.resolve()) else None
    except (OSError, RuntimeError):
        return None


def _hash(path: Path, name: str, limit: int) -> ObservedFile | None:
    stream = _opened(path)
    if stream is None:
        return None
    with stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            return None
        digest, left = hashlib.sha256(), size
        # Not to its end: a file that somebody still writes to has none.
        while left > 0 and (block := stream.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return ObservedFile(name, digest.hexdigest(), size - left)


def _opened(path: Path, flags: int = 0) -> BinaryIO | None:
    """The regular file; None for anything else. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    return None


def _records(folder: Path, observed: Observed) -> Iterator[dict[str, Any]]:
    own = os.path.join(os.path.realpath(folder.parents[1]), PRIVATE, CAPTURED)
    try:
        # Behind a link lie the records of others, or devices.
        names = sorted(os.listdir(folder)) if os.path.realpath(folder) == own else []
    except OSError:
        return
    left = MAX_RECORD_BYTES
    for name in names:
        data = read_regular(folder / name, left)
        left -= len(data)
        for line in data.splitlines():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield value
        if left <= 0:
            observed.truncated = True
            return


def read_regular(path: Path, limit: int) -> bytes:
    """At most the first `limit` bytes of a file that a workload left; none of what is gone, a link or no file."""
    try:
        stream = _opened(path, os.O_NOFOLLOW)
        if stream is None:
            return b""
        with stream:
            return stream.read(limit)
    except OSError:
        return b""


def _below(work: Path, value: object) -> str | None:
    """The path below the working folder that a record names, None where it is no such path."""
    if not isinstance(value, str) or "\0" in value or len(value) > 4096:
        return None
    try:
        relative = Path(os.path.normpath(value)).relative_to(work)
        relative.as_posix().encode()
    except ValueError:
        return None
    parts = relative.parts
    private = parts[:1] == (PRIVATE,) and parts[1:2] == (CAPTURED,)
    return relative.as_posix() if parts and not private and "__pycache__" not in parts else None


def _process(record: dict[str, Any]) -> dict[str, Any]:
    """The fields of a process record that are kept, cut to size."""
    kept: dict[str, Any] = {}
    for name in ("pid", "python", "platform", "hash_seed"):
        value = record.get(name)
        if isinstance(value, int | str):
            kept[name] = storable(value)[:200] if isinstance(value, str) else value
    for name in ("argv", "seeds"):
        value = record.get(name)
        if isinstance(value, list):
            kept[name] = [storable(str(item))[:500] for item in value[:50]]
    return kept

"""The manifest of one backup: a JSON file that names every file in it by path, size and SHA-256."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

FORMAT = 1
OBJECTS = "objects"


class Unreadable(Exception):
    """The manifest cannot be used; the text says why and what to do."""


@dataclass(frozen=True, order=True)
class Entry:
    """One file: where it belongs below the data directory, its SHA-256, its size in bytes, its permissions."""

    path: str
    sha256: str
    size: int
    mode: int


@dataclass(frozen=True)
class Manifest:
    """One backup. `dumps` are the databases by name; `folders` those that hold no file; `applied` the migrations.

    `blobs` is empty, or the address of the bucket that the backup leaves out.
    """

    version: str
    made_at: str
    server_version: int
    applied: Sequence[str]
    dumps: dict[str, Entry]
    files: Sequence[Entry]
    folders: Sequence[str] = ()
    blobs: str = ""
    format: int = FORMAT

    @property
    def entries(self) -> list[Entry]:
        """Everything that it names."""
        return [*self.dumps.values(), *self.files]

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return sum(entry.size for entry in self.entries)

    def find(self, path: str) -> Entry | None:
        """The file at that path."""
        return next((entry for entry in self.files if entry.path == path), None)


def write(manifest: Manifest, path: Path) -> None:
    """Write it whole; until then there is no backup. Only its owner may read it."""
    content = asdict(manifest)
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read(path: Path) -> Manifest:
    """The manifest at `path`. Raises Unreadable."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}. Name the .json file that a backup made.") from None
    except ValueError:
        raise Unreadable(
            f"{path} is no manifest of a backup: it is no JSON. Name the .json file that a backup made."
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise Unreadable(f"{path} has another format than this release reads ({FORMAT}). Use the release that made it.")
    try:
        dumps = {name: Entry(**entry) for name, entry in content.pop("dumps").items()}
        files = tuple(Entry(**entry) for entry in content.pop("files"))
        manifest = Manifest(**content, dumps=dumps, files=files)
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"{path} is damaged: {error}. Use another backup.") from None
    for name in (*(entry.path for entry in files), *manifest.folders):
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise Unreadable(f"{path} names {name!r}, which leads out of the data directory. Use another backup.")
    return manifest

"""Packs folders and files of this host for tasks on other machines, each named by the digest of what is in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from modelwright.compute.backends.base import SourceError

FOLDER = ".packs"
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Pack:
    """A tar file. `path` is where its one member belongs in the task, `size` what it takes unpacked, in bytes."""

    path: str
    sha256: str
    size: int


def pack(root: Path, source: Path) -> Pack:
    """Packs the folder or file below `root/.packs`, unless the same is there. Raises SourceError.

    Equal contents give equal packs: owners and times are left out. Links stay links.
    """
    folder = root / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    sizes: list[int] = []

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if not (member.isfile() or member.isdir() or member.issym()):
            return None
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        sizes.append(member.size + 4096)
        return member

    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix="new-", delete=False) as file:
            temporary = Path(file.name)
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                archive.add(source, arcname=source.name, filter=plain)
        digest = digest_of(temporary)
        temporary.replace(path_of(root, digest))
    except OSError as error:
        raise SourceError(f"{source} could not be packed for the machine that the workload runs on: {error}") from error
    return Pack(str(source), digest, sum(sizes))


def path_of(root: Path, digest: str) -> Path:
    """Where the pack of that digest lies."""
    return root / FOLDER / f"{digest}.tar"


def keep_only(root: Path, digests: set[str], *, older_than: float) -> None:
    """Deletes packs that are not among them and were last written before that moment, in Unix seconds."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(root / FOLDER):
            with contextlib.suppress(OSError):
                if entry.name.removesuffix(".tar") not in digests and entry.stat().st_mtime < older_than:
                    os.unlink(entry.path)


def digest_of(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()

"""The files of a commit as one tar file, which any host can have from the blob store."""

from __future__ import annotations

import contextlib
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from modelwright.core.errors import Unavailable
from modelwright.storage.settings import blob_store
from projects.models import Project, SourceArchive
from projects.source.bounds import Listed, files_of
from projects.source.git import command, environment, missing
from projects.source.reading import repository_path

TIMEOUT_SECONDS = 300
IN_MEMORY_BYTES = 16 * 1024 * 1024
_LINK, _EXECUTABLE, _SUBMODULE = "120000", "100755", "160000"


def archive(project: Project, commit: str) -> str:
    """The SHA-256 of the stored archive of the commit; made by the first who asks. `commit` is one of the project's.

    Raises ValidationFailed for a commit that holds too much, Unavailable when Git or the blob store does not answer. No
    audit row: nothing that a person can see changes.
    """
    known = SourceArchive.objects.filter(project=project, commit=commit).values_list("sha256", flat=True).first()
    if known is not None:
        return known
    sha256 = store_archive(repository_path(project), commit)
    SourceArchive.objects.get_or_create(project=project, commit=commit, defaults={"sha256": sha256})
    return sha256


def store_archive(repository: Path, commit: str) -> str:
    """Put the archive of the repository's commit into the blob store; return its SHA-256."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as spooled:
        stream = cast(BinaryIO, spooled)
        write_archive(repository, commit, stream)
        stream.seek(0)
        return blob_store().put_stream(stream).sha256


def write_archive(repository: Path, commit: str, target: BinaryIO) -> None:
    """Write the commit's files as a tar: the same bytes for the same tree, whoever makes it, whenever.

    Not `git archive`: there a commit's own attributes may leave files out or rewrite them. Symbolic links and
    executable bits are kept, a submodule is an empty folder.
    """
    files = list(files_of(repository, commit))
    with (
        tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar,
        _contents(repository, [file.object_id for file in files if file.mode != _SUBMODULE]) as stream,
    ):
        for file in files:
            info = tarfile.TarInfo(file.path)
            info.mode = 0o755 if file.mode in (_EXECUTABLE, _SUBMODULE) else 0o644
            if file.mode == _SUBMODULE:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
                continue
            size = _size(stream, file)
            if file.mode == _LINK:
                info.type, info.mode = tarfile.SYMTYPE, 0o777
                info.linkname = _exactly(stream, size).decode(errors="surrogateescape")
                tar.addfile(info)
            else:
                info.size = size
                try:
                    tar.addfile(info, stream)
                except (OSError, tarfile.TarError):
                    raise _cut_short(file.path) from None
            stream.read(1)  # The line break after each object.


@contextlib.contextmanager
def _contents(repository: Path, object_ids: list[str]) -> Iterator[IO[bytes]]:
    """What Git prints for the objects: for each a line with id, type and size, then the content and a line break."""
    with tempfile.TemporaryFile() as names:
        names.write("".join(f"{object_id}\n" for object_id in object_ids).encode())
        names.seek(0)
        try:
            git = subprocess.Popen(
                command(repository, "cat-file", "--batch", "--buffer"),
                stdin=names,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(),
            )
        except FileNotFoundError:
            raise missing() from None
    # Whoever reads then finds the end.
    timer = threading.Timer(TIMEOUT_SECONDS, git.kill)
    timer.start()
    try:
        assert git.stdout is not None  # noqa: S101 - asked for as a pipe
        yield git.stdout
    finally:
        timer.cancel()
        git.kill()
        git.communicate()


def _size(stream: IO[bytes], file: Listed) -> int:
    header = stream.readline().decode().split()
    if len(header) != 3 or header[:2] != [file.object_id, "blob"]:
        raise _cut_short(file.path)
    return int(header[2])


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise _cut_short("a symbolic link")
    return data


def _cut_short(path: str) -> Unavailable:
    return Unavailable(
        f"Git did not give the content of {path.encode(errors='backslashreplace').decode()}.",
        remedy="Try again; when it stays, restore the project's repository from a backup.",
    )

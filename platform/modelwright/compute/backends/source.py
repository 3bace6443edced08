"""Fills the working folder of a workload: the files of an archive, then single files."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from modelwright.compute.backends.base import ArchiveSource, SourceError

_BLOCK = 1024 * 1024


def prepare_work(folder: Path, *, source: ArchiveSource | None, files: Mapping[str, str]) -> None:
    """Makes `folder` afresh with the files of the archive and then `files`. Raises SourceError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    if source is not None:
        _unpack(source, folder)
    for name, text in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise SourceError(f"The file {name!r} would lie outside the working folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _unpack(source: ArchiveSource, folder: Path) -> None:
    try:
        with open(source.path, "rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(_BLOCK):
                digest.update(block)
            if digest.hexdigest() != source.sha256:
                raise SourceError(f"The archive {source.path} is not what was stored: it has another SHA-256.")
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                _unpack_members(archive, folder)
    except tarfile.TarError as error:
        raise SourceError(f"The archive {source.path} cannot be unpacked: {error}") from error
    except OSError as error:
        raise SourceError(f"The workload's files could not be unpacked: {error}") from error


def _unpack_members(archive: tarfile.TarFile, folder: Path) -> None:
    # Nothing is ever written through a link: all of them come last.
    links = []
    now = time.time()
    for member in archive:
        checked = _checked(member, folder).replace(mtime=now, deep=False)
        if checked.issym():
            links.append(checked)
        elif checked.isreg() or checked.isdir():
            archive.extract(checked, folder, filter="fully_trusted")
        else:
            raise SourceError(f"The archive holds {member.name!r}, which is no file, folder or symbolic link.")
    inside = folder.resolve()
    for link in links:
        path = folder / link.name
        if not Path(os.path.realpath(path.parent)).is_relative_to(inside):
            raise SourceError(f"{link.name!r} would lie outside the working folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(link.linkname, path)
    for link in links:
        # Two links that are harmless alone may lead out together.
        if not Path(os.path.realpath(folder / link.name)).is_relative_to(inside):
            raise _leads_out(link)


def _checked(member: tarfile.TarInfo, folder: Path) -> tarfile.TarInfo:
    try:
        return tarfile.data_filter(member, str(folder))
    except (tarfile.LinkOutsideDestinationError, tarfile.AbsoluteLinkError):
        raise _leads_out(member) from None
    except tarfile.FilterError as error:
        raise SourceError(f"The archive holds {member.name!r}, which would lie outside the working folder.") from error


def _leads_out(link: tarfile.TarInfo) -> SourceError:
    return SourceError(
        f"The symbolic link {link.name!r} leads to {link.linkname!r}, outside of the working folder. "
        "Make it lead to a file of the commit, or remove it."
    )

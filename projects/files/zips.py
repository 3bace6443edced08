"""The files of a commit as a ZIP, for a person to save."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from typing import BinaryIO, cast

from modelwright.core.errors import ValidationFailed
from modelwright.storage.settings import blob_store
from projects import source
from projects.models import Project

MAX_BYTES = 256 * 1024 * 1024
IN_MEMORY_BYTES = 16 * 1024 * 1024
# ZIP knows no time before it. A commit gives the same bytes whenever it is asked for.
_TIME = (1980, 1, 1, 0, 0, 0)
_FILE, _PROGRAM = 0o100644 << 16, 0o100755 << 16


def zip_of(project: Project, commit: str) -> BinaryIO:
    """A file with the ZIP of the commit's files, at its beginning. Raises ValidationFailed for more than 256 MiB.

    A link is a small file with what it points to, as Git itself writes it where links are unknown: whatever unpacks
    the archive then writes nowhere else.
    """
    spooled = cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES))  # noqa: SIM115 - the answer closes it
    with (
        blob_store().open(source.archive(project, commit)) as stored,
        tarfile.open(fileobj=stored, mode="r|") as tar,
        zipfile.ZipFile(spooled, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        total = 0
        for member in tar:
            total += member.size
            if total > MAX_BYTES:
                spooled.close()
                raise ValidationFailed(
                    f"The files of the commit have more than {MAX_BYTES // 1024**2} MiB together.",
                    remedy="Clone the project with Git instead.",
                )
            _add(archive, tar, member)
    spooled.seek(0)
    return spooled


def _add(archive: zipfile.ZipFile, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    # Surrogates stand for bytes that are no UTF-8, which a ZIP cannot name.
    name = member.name.encode(errors="surrogateescape").decode(errors="replace")
    if member.isdir():
        archive.writestr(zipfile.ZipInfo(f"{name}/", _TIME), b"")
        return
    info = zipfile.ZipInfo(name, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = _PROGRAM if member.mode & 0o100 and not member.issym() else _FILE
    if member.issym():
        archive.writestr(info, member.linkname.encode(errors="surrogateescape"))
        return
    content = tar.extractfile(member)
    with archive.open(info, "w") as target:
        while content is not None and (block := content.read(1024 * 1024)):
            target.write(block)

"""Makes a backup while the platform runs.

The order is what makes it whole. Predictions that wait in the spool are held first, so that none is in neither place.
Then both databases are held at one moment, and only then are files copied: a row that the backup holds was written
after the files that it names, and these are never changed or deleted, so they are there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from modelwright import __version__
from modelwright.local.backups import databases
from modelwright.local.backups.manifest import OBJECTS, Entry, Manifest, write
from modelwright.local.backups.objects import Objects
from modelwright.local.backups.places import BLOBS, FOLDERS, PLATFORM, SECRET_KEY, SPOOL, Places

HELD_SPOOL = "gateway/.spool-for-backup"
# A write of a blob that is under way.
INCOMING = "incoming"
PRIVATE = 0o600


class UnderWay(Exception):
    """Another backup of this installation has not ended."""


def make(places: Places, target: Path, note: Callable[[str], None]) -> Path:
    """Back up into the folder `target`, where other backups may lie; returns the manifest's path.

    Raises UnderWay, databases.DatabaseFailed, objects.Damaged, OSError.
    """
    made_at = datetime.now(UTC)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    objects = Objects(target / OBJECTS)
    with held_spool(places.data) as spool:
        dumps, migrations = _dump(places, objects, spool, note)
        files, folders = _files(places, objects, spool, note)
    os.sync()
    manifest = Manifest(
        version=__version__,
        made_at=made_at.isoformat(timespec="seconds"),
        server_version=databases.server_version(places.urls[PLATFORM]),
        applied=migrations,
        dumps=dumps,
        files=sorted(files),
        folders=sorted(folders),
        blobs=places.bucket,
    )
    path = target / f"{made_at:%Y-%m-%dT%H%M%SZ}.json"
    write(manifest, path)
    return path


def _dump(
    places: Places, objects: Objects, spool: HeldSpool, note: Callable[[str], None]
) -> tuple[dict[str, Entry], list[str]]:
    dumps = {}
    with (
        tempfile.TemporaryDirectory(dir=objects.root.parent, prefix=".dump-") as folder,
        databases.snapshots(places.urls) as snapshots,
    ):
        # Segments that began since it was held first.
        spool.hold()
        migrations = databases.applied_migrations(places.urls[PLATFORM])
        for name, url in places.urls.items():
            file = Path(folder) / name
            databases.dump(url, snapshots[name], file)
            sha256, size = objects.put(file)
            dumps[name] = Entry(f"{name}.dump", sha256, size, PRIVATE)
            note(f"Database {name}: {_mebibytes(size)}")
    return dumps, migrations


def _files(
    places: Places, objects: Objects, spool: HeldSpool, note: Callable[[str], None]
) -> tuple[list[Entry], list[str]]:
    spool.hold()
    files: list[Entry] = []
    empty: list[str] = []
    for name in FOLDERS:
        if name == BLOBS and places.bucket:
            note(f"Blobs: left out, they are in {places.bucket}")
            continue
        root = spool.folder if name == SPOOL else places.path(name)
        found = list(_below(objects, root, name))
        files += [entry for entry in found if isinstance(entry, Entry)]
        empty += [entry for entry in found if isinstance(entry, str)]
        size = sum(entry.size for entry in found if isinstance(entry, Entry))
        note(f"{name}: {sum(isinstance(entry, Entry) for entry in found)} files, {_mebibytes(size)}")
    if not places.keeps_own_secrets:
        sha256, size = objects.put(places.secret_key)
        files = [entry for entry in files if entry.path != SECRET_KEY]
        files.append(Entry(SECRET_KEY, sha256, size, PRIVATE))
    return files, empty


def _below(objects: Objects, root: Path, name: str) -> Iterator[Entry | str]:
    """Every file below `root` as an entry, and every folder without one by its path."""
    for parent, folders, names in os.walk(root):
        if name == BLOBS and INCOMING in folders:
            folders.remove(INCOMING)
        # References of a repository before the objects that they name.
        folders.sort(key=lambda folder: (folder == "objects", folder))
        here = name / Path(parent).relative_to(root)
        if not folders and not names:
            yield here.as_posix()
        for file in sorted(names):
            # What was deleted since it was listed was on its way out: an artifact, a lock.
            with suppress(FileNotFoundError):
                if (entry := _entry(objects, Path(parent) / file, here / file, blob=name == BLOBS)) is not None:
                    yield entry


def _entry(objects: Objects, file: Path, path: Path, *, blob: bool) -> Entry | None:
    mode = file.lstat().st_mode
    if not stat.S_ISREG(mode):
        return None
    if blob:
        sha256 = file.parent.name + file.name
        size = objects.put_known(file, sha256)
    else:
        sha256, size = objects.put(file)
    return Entry(path.as_posix(), sha256, size, stat.S_IMODE(mode))


class HeldSpool:
    """Second names for the spool's segments: they are whole until the backup has ended, whoever deletes the first."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.source, self.folder = source, folder

    def hold(self) -> None:
        """Hold every segment that there is now."""
        for segment in sorted(self.source.glob("*.spool*")):
            with suppress(FileExistsError, FileNotFoundError):
                os.link(segment, self.folder / segment.name)


@contextmanager
def held_spool(data: Path) -> Iterator[HeldSpool]:
    folder = data / HELD_SPOOL
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".backup.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnderWay("Another backup of this installation is under way. Wait until it has ended.") from None
        # One that was killed may have left some.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            spool = HeldSpool(data / SPOOL, folder)
            spool.hold()
            yield spool
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _mebibytes(size: int) -> str:
    return f"{size / 1024**2:.1f} MiB"

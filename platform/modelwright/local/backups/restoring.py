"""Puts a backup into an installation that holds nothing yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from modelwright import __version__
from modelwright.local.backups import databases
from modelwright.local.backups.manifest import OBJECTS, Manifest, read
from modelwright.local.backups.objects import Objects
from modelwright.local.backups.places import RECEIPT_KEY, SECRET_KEY, Places


class Refused(Exception):
    """Nothing was changed; the text says why and what to do."""


def plan(path: Path, places: Places) -> list[str]:
    """What `restore` would do, in words."""
    manifest = read(path)
    lines = [
        f"Backup of {manifest.made_at}, made by release {manifest.version}: "
        f"{len(manifest.files)} files and {len(manifest.dumps)} databases, {manifest.size / 1024**2:.1f} MiB.",
        f"Every file is checked, then goes to {places.data}; then the databases are filled.",
    ]
    if manifest.blobs:
        lines.append(f"Blobs are not in it: they are expected in {manifest.blobs}.")
    return lines


def check(path: Path) -> Manifest:
    """Read everything that the manifest names. Raises manifest.Unreadable, objects.Damaged."""
    manifest, objects = read(path), Objects(path.parent / OBJECTS)
    for sha256, size in sorted({(entry.sha256, entry.size) for entry in manifest.entries}):
        objects.check(sha256, size)
    return manifest


def require_release(manifest: Manifest) -> None:
    """Raises Refused for a backup of a newer release: this one does not know its tables."""
    if _numbers(manifest.version) > _numbers(__version__):
        raise Refused(
            f"The backup was made by release {manifest.version} and this is {__version__}. Restore it with that one."
        )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def require_new(places: Places) -> None:
    """Raises Refused where files of an installation are: a restore never overwrites."""
    if there := places.what_is_there():
        raise Refused(
            f"{places.data} holds an installation already ({', '.join(there)}). Restore into an empty data directory, "
            "or move this one away."
        )


def require_empty(places: Places) -> None:
    """Raises Refused where a database holds tables."""
    for name, url in places.urls.items():
        if not databases.is_empty(url):
            raise Refused(f"The database {name} holds tables already. Restore into empty databases.")


def require_secret_key(manifest: Manifest, path: Path, places: Places) -> None:
    """Where the secret key is somebody else's to put in place, raises Refused unless it is the backup's."""
    entry = manifest.find(SECRET_KEY)
    if places.keeps_own_secrets or entry is None:
        return
    if places.secret_key.read_bytes() != Objects(path.parent / OBJECTS).path(entry.sha256).read_bytes():
        raise Refused(
            f"{places.secret_key} is not the key that the backup was encrypted with. Put that in its place: "
            f"`show {path} {SECRET_KEY}` prints it."
        )


def put_files(manifest: Manifest, path: Path, places: Places, note: Callable[[str], None]) -> None:
    """Every file into the data directory. Secrets that stand outside of it, as in containers, are left alone."""
    objects = Objects(path.parent / OBJECTS)
    for folder in manifest.folders:
        places.path(folder).mkdir(parents=True, exist_ok=True)
    done = 0
    for entry in manifest.files:
        if entry.path.startswith("secrets/"):
            if not places.keeps_own_secrets and entry.path != RECEIPT_KEY:
                continue
            (places.data / "secrets").mkdir(mode=0o700, exist_ok=True, parents=True)
            (places.data / entry.path).unlink(missing_ok=True)
        objects.copy_to(entry.sha256, places.path(entry.path), entry.mode)
        done += 1
    note(f"Files: {done}")


def put_databases(manifest: Manifest, path: Path, places: Places, note: Callable[[str], None]) -> None:
    """Every database, each whole or not at all."""
    objects = Objects(path.parent / OBJECTS)
    for name, entry in manifest.dumps.items():
        databases.put_back(places.urls[name], objects.path(entry.sha256))
        note(f"Database {name}")

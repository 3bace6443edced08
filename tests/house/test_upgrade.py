"""From the release before to this one, with data, and by two processes at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from modelwright.local.layout import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database."""
    server, name = os.environ["DATABASE_URL"], f"upgrade_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def start(database: str, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "modelwright.settings"}
    command = [sys.executable, "-W", "ignore", *words]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    return output


def rows(database: str) -> dict[str, int]:
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        found = {}
        for (table,) in tables:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            row = connection.execute(query).fetchone()
            assert row is not None
            found[table] = int(row[0])
    return found


def test_two_upgrades_at_once_keep_what_the_release_before_held(database: str) -> None:
    before = json.loads(finish(start(database, "-m", "tests.house.old_release")))
    assert before["jobs_run"] == before["compute_workload"] == before["audit_auditevent"] == 1

    both = [start(database, "manage.py", "migrate", "--noinput") for _ in range(2)]
    said = [finish(process) for process in both]

    # Each migration once: the second process found nothing left.
    assert sorted("Applying compute.0003" in text for text in said) == [False, True]
    assert sum("No migrations to apply" in text for text in said) == 1
    after = rows(database)
    lost = {table: (count, after.get(table)) for table, count in before.items() if after.get(table, 0) < count}
    assert not lost
    with psycopg.connect(database) as connection:
        attempts = connection.execute(
            "SELECT r.attempt, a.number, a.workload_id = r.workload_id FROM jobs_run r "
            "JOIN jobs_attempt a ON a.run_id = r.id"
        ).fetchall()
        copies = connection.execute("SELECT state FROM compute_environmentcopy").fetchall()
    assert attempts == [(1, 1, True)]
    assert copies == [("ready",)]


def test_whoever_migrates_waits_for_the_one_before(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [0x6D6967726174])
        waiting = start(database, "manage.py", "migrate", "--noinput")
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(8)
        assert "jobs_run" not in rows(database)
    finish(waiting)
    assert "jobs_run" in rows(database)

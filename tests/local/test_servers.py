"""The embedded servers start, stop and come back after a kill."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis as client

from modelwright.local.layout import Layout
from modelwright.local.postgres import Postgres
from modelwright.local.process import Child, Program, start, wait_until
from modelwright.local.redis import Redis

pytestmark = pytest.mark.slow

Run = Callable[[Program], Child]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    children: list[Child] = []

    def begin(program: Program) -> Child:
        child = start(program, tmp_path / "logs" / f"{program.name}.log")
        children.append(child)
        wait_until(program.ready, child, 90)
        return child

    yield begin
    for child in children:
        child.ask_to_stop()
        child.wait_or_kill(10)


def kill(child: Child) -> None:
    os.killpg(child.pid, signal.SIGKILL)
    child.process.wait(30)


def test_postgresql_keeps_what_was_committed_before_it_was_killed(tmp_path: Path, run: Run) -> None:
    server = Postgres(Layout(tmp_path).postgres)
    server.prepare()
    child = run(server.program())
    server.create_databases()
    with psycopg.connect(server.url("modelwright")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    kill(child)
    # Somebody closes a directory above it meanwhile; the server's own user must find its way all the same.
    tmp_path.chmod(0o700)
    child = run(server.program())
    with psycopg.connect(server.url("modelwright")) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    child.ask_to_stop()
    assert child.wait_or_kill(30) == 0


def test_the_databases_of_platform_and_mlflow_have_different_owners(tmp_path: Path, run: Run) -> None:
    server = Postgres(Layout(tmp_path).postgres, durable=False)
    server.prepare()
    run(server.program())
    server.create_databases()
    with psycopg.connect(server.url("mlflow")) as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == ("mlflow", "mlflow")
    assert server.socket_directory.resolve().stat().st_mode & 0o077 == 0


def test_redis_keeps_what_it_acknowledged_a_second_before_it_was_killed(tmp_path: Path, run: Run) -> None:
    server = Redis(Layout(tmp_path).redis)
    server.prepare()
    child = run(server.program())
    with client.Redis.from_url(server.url()) as connection:
        connection.rpush("queue", *[f"message {number}" for number in range(1000)])
    time.sleep(2.5)
    kill(child)
    server.prepare()
    run(server.program())
    with client.Redis.from_url(server.url()) as connection:
        assert connection.llen("queue") == 1000

"""The embedded servers on an address that other machines reach: what they let in there."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_client

from modelwright.local.layout import Layout
from modelwright.local.postgres import Postgres
from modelwright.local.process import start, wait_until
from modelwright.local.redis import Redis
from tests.ports import free_port

pytestmark = pytest.mark.slow

ADDRESS = "127.0.0.3"
READY_SECONDS = 90


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A cluster that listens on the network."""
    folder = tmp_path_factory.mktemp("network")
    server = Postgres(folder / "pg", durable=False, address=ADDRESS, port=free_port(ADDRESS))
    server.prepare()
    child = start(server.program(), folder / "postgres.log")
    wait_until(child.program.ready, child, READY_SECONDS)
    server.create_databases()
    yield server
    child.process.send_signal(server.program().stop_signal)
    child.wait_or_kill(20)


def test_only_members_of_the_platforms_role_come_in_with_their_password(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as administration:
        administration.execute("CREATE ROLE host_a LOGIN PASSWORD 'right' IN ROLE modelwright")
        administration.execute("CREATE ROLE other LOGIN PASSWORD 'right'")
        administration.execute("ALTER ROLE postgres PASSWORD 'right'")
    place = postgres.network_url("modelwright").removeprefix("postgresql://")
    with psycopg.connect(f"postgresql://host_a:right@{place}") as session:
        assert session.execute("SELECT session_user").fetchone() == ("host_a",)
    for who in ("host_a:wrong", "host_a", "modelwright", "modelwright:right", "other:right", "postgres:right"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://{who}@{place}", connect_timeout=60)
    elsewhere = postgres.network_url("mlflow").removeprefix("postgresql://")
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba|no entry"):
        psycopg.connect(f"postgresql://host_a:right@{elsewhere}", connect_timeout=60)


def test_its_own_processes_still_come_in_by_the_socket(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url("modelwright")) as session:
        assert session.execute("SELECT current_user").fetchone() == ("modelwright",)


def test_redis_asks_everybody_for_its_password(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    layout.redis_password.write_text("secret\n")
    server = Redis(
        layout.redis, durable=False, address=ADDRESS, port=free_port(ADDRESS), password_file=layout.redis_password
    )
    server.prepare()
    assert stat.S_IMODE((layout.redis / "redis.conf").stat().st_mode) == 0o600
    child = start(server.program(), tmp_path / "redis.log")
    try:
        wait_until(child.program.ready, child, READY_SECONDS)
        assert redis_client.Redis.from_url(server.url()).ping()
        for url in (server.url().replace(":secret@", ""), server.url().replace("secret", "wrong")):
            with pytest.raises(redis_client.AuthenticationError):
                redis_client.Redis.from_url(url).ping()
        with pytest.raises(redis_client.AuthenticationError):
            redis_client.Redis(unix_socket_path=str(server.socket)).ping()
    finally:
        child.ask_to_stop()
        child.wait_or_kill(10)

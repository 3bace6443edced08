"""The session's own PostgreSQL and Redis are real and answer."""

import os

import psycopg
import redis


def test_the_database_of_the_session_is_postgresql() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT current_setting('server_version_num')::int").fetchone()
    assert row is not None
    assert row[0] >= 140000


def test_the_broker_of_the_session_is_redis() -> None:
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    assert client.ping()

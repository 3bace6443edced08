"""A PostgreSQL role for each host, so that taking one host's access away takes nobody else's.

Only where MODELWRIGHT_HOSTS_DATABASE_ADMIN_URL names a role that may make roles; `./modelwright up --hosts-address`
sets it. The role is a member of the platform's and acts as it, so what it makes belongs to the platform.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from modelwright.core.errors import Unavailable

logger = logging.getLogger(__name__)
CONNECT_SECONDS = 5
DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


def can_make() -> bool:
    """Whether hosts get roles of their own here."""
    return bool(settings.HOSTS_DATABASE_ADMIN_URL)


def make(name: str) -> str:
    """Makes the role, or gives it another password and ends its connections; returns the password.

    Raises Unavailable.
    """
    password, platform = secrets.token_urlsafe(24), sql.Identifier(_platform_role())
    role = sql.Identifier(name)
    with _administration() as database:
        if not _exists(database, name):
            database.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        database.execute(sql.SQL("GRANT {} TO {}").format(platform, role))
        database.execute(sql.SQL("ALTER ROLE {} SET role = {}").format(role, sql.Literal(_platform_role())))
        # Not the password itself: statements may be logged.
        hashed = database.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        database.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(hashed)))
        database.execute(DISCONNECT, [name])
    return password


def forbid(name: str) -> None:
    """The role opens no new connection any more; open ones stay until `end`. Raises Unavailable."""
    with _administration() as database:
        if _exists(database, name):
            database.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(name)))


def end(name: str) -> None:
    """Ends the role's connections and deletes it. Doing it twice is harmless. Raises Unavailable."""
    role = sql.Identifier(name)
    with _administration() as database:
        if not _exists(database, name):
            return
        database.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(role))
        database.execute(DISCONNECT, [name])
        database.execute(sql.SQL("DROP OWNED BY {}").format(role))
        database.execute(sql.SQL("DROP ROLE {}").format(role))


@contextmanager
def _administration() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    try:
        with psycopg.connect(
            settings.HOSTS_DATABASE_ADMIN_URL, autocommit=True, connect_timeout=CONNECT_SECONDS
        ) as database:
            yield database
    except psycopg.Error as error:
        logger.warning("the roles of hosts cannot be changed: %s", error)
        raise Unavailable(
            "The database does not let the platform change the access of hosts.",
            remedy="See that MODELWRIGHT_HOSTS_DATABASE_ADMIN_URL names a role that may make roles; the log says more.",
        ) from error


def _exists(database: psycopg.Connection[tuple[object, ...]], name: str) -> bool:
    return database.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None


def _platform_role() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return str(cursor.fetchone()[0])

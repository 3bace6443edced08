"""Empties the database after a test that commits, in a fraction of the time that Django's `flush` takes.

`flush` truncates each of two hundred tables with all of its indexes, and then writes content types and permissions
anew. Such a test has written to a dozen tables: deleting their rows costs next to nothing. What migrations put into
tables is there again afterwards, so that a test finds the same whichever came before it.
"""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# Only migrations write to them.
LEFT_ALONE = {"django_content_type", "auth_permission"}
COPIES = "made_by_migrations"


def keep_what_migrations_made() -> str:
    """Copy the rows that tables hold before the first test; what `empty` is to run."""
    connection = connections[DEFAULT_DB_ALIAS]
    own = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = sorted({*own} - LEFT_ALONE)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {COPIES}")
        filled = [table for table in tables if _has_rows(connection, table)]
        for table in filled:
            cursor.execute(f'CREATE TABLE {COPIES}."{table}" AS TABLE "{table}"')
    back = [f'INSERT INTO "{table}" TABLE {COPIES}."{table}"' for table in filled]
    return ";".join([*_emptying(connection, [f'"{table}"' for table in tables]), *back])


def empty(statements: str) -> None:
    """Have every table as migrations left it. Waits for whoever is still writing."""
    with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(statements)


def _emptying(connection: BaseDatabaseWrapper, tables: list[str]) -> list[str]:
    names = ", ".join(tables)
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
        if not cursor.fetchone()[0]:
            return [f"TRUNCATE {names}"]
    # As a replica, tables neither look after references nor refuse what their triggers refuse to everybody else.
    replica = ["SET LOCAL session_replication_role = replica", f"LOCK TABLE {names} IN EXCLUSIVE MODE"]
    return [*replica, *(f"DELETE FROM {table}" for table in tables)]


def _has_rows(connection: BaseDatabaseWrapper, table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}")')
        return bool(cursor.fetchone()[0])

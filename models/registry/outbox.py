"""The table in MLflow's database into which a trigger writes every registration and every alias.

Rows are taken by "not imported yet", never by "id greater than the last": ids are not given in the order of commits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings
from psycopg.rows import dict_row

Connection = psycopg.Connection[dict[str, Any]]

_NEXT = """
SELECT id, kind, workspace, name, version, alias, payload FROM modelwright_outbox
 WHERE imported_at IS NULL AND NOT (id = ANY(%s)) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""

# Not while its own entry is still waiting to be imported.
_AGAIN = """
SELECT 0 AS id, 'version_changed' AS kind, workspace, name, version, NULL AS alias, to_jsonb(v) AS payload
  FROM model_versions v WHERE workspace = %s AND name = %s AND version = %s AND NOT EXISTS (
    SELECT FROM modelwright_outbox o WHERE o.imported_at IS NULL
       AND (o.workspace, o.name, o.version) = (v.workspace, v.name, v.version))
"""


@dataclass(frozen=True)
class Entry:
    """One row: `kind` is version_created, version_changed, alias_set or alias_removed."""

    id: int
    kind: str
    workspace: str
    name: str
    version: int
    alias: str
    payload: dict[str, Any]


@dataclass
class Outbox:
    """A connection to MLflow's database that is kept between ticks and opened again after an error."""

    _connection: Connection | None = field(default=None, init=False)

    @contextmanager
    def take(self, leave_out: list[int]) -> Iterator[Entry | None]:
        """The oldest row that is not imported, locked; it counts as imported when the block ends well.

        None when there is none. Raises psycopg.Error while the database does not answer.
        """
        connection = self._connected()
        try:
            with connection.transaction():
                row = connection.execute(_NEXT, [leave_out]).fetchone()
                yield _entry(row) if row else None
                if row:
                    connection.execute("UPDATE modelwright_outbox SET imported_at = now() WHERE id = %s", [row["id"]])
        except psycopg.OperationalError:
            self.close()
            raise

    def registration(self, workspace: str, name: str, version: int) -> Entry | None:
        """The registration as it stands in MLflow's table, as if it had just been written to the outbox."""
        row = self._connected().execute(_AGAIN, [workspace, name, version]).fetchone()
        return _entry(row) if row else None

    @property
    def connection(self) -> Connection:
        """The connection, for reading MLflow's tables in the same transaction."""
        return self._connected()

    def close(self) -> None:
        """Give the connection back; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                settings.MLFLOW_DATABASE_URL,
                row_factory=dict_row,
                autocommit=True,
                connect_timeout=5,
                options="-c statement_timeout=30000",
            )
        return self._connection


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        id=row["id"],
        kind=row["kind"],
        workspace=row["workspace"],
        name=row["name"],
        version=row["version"] or 0,
        alias=row["alias"] or "",
        payload=row["payload"],
    )

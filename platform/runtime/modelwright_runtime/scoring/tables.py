"""Reads a table or query of PostgreSQL in the order of its key, and writes predictions back by that key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import ScoringError
from .files import Chunk

CONNECT_SECONDS = 15
_FIRST = "SELECT q.*, q.{key}::text AS {text} FROM {rows} AS q ORDER BY q.{key} LIMIT %s"
_NEXT = "SELECT q.*, q.{key}::text AS {text} FROM {rows} AS q WHERE q.{key} > %s ORDER BY q.{key} LIMIT %s"
KEY_TEXT = "__modelwright_key"
# What a table gets for each key, and of which type where the column is new.
WRITTEN = {
    "prediction": "",
    "probabilities": "jsonb",
    "prediction_id": "uuid",
    "error": "text",
    "predicted_at": "timestamptz",
}


def connect(config: Mapping[str, Any], secret: str) -> Any:
    """A connection. Raises `ScoringError` where there is none to be had."""
    import psycopg

    try:
        return psycopg.connect(
            host=config["host"],
            port=int(config.get("port") or 5432),
            dbname=config["database"],
            user=config["username"],
            password=secret or None,
            sslmode=config.get("sslmode") or "prefer",
            connect_timeout=CONNECT_SECONDS,
            application_name="modelwright batch",
            autocommit=True,
        )
    except psycopg.Error as error:
        raise ScoringError(
            f"The data connection does not answer: {_said(error)}.",
            "See whether its host, database, name and password are right, and whether this host reaches it.",
        ) from None


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


def _named(name: str) -> Any:
    from psycopg import sql

    return sql.Identifier(*name.split("."))


class TableSource:
    """A table, or the rows of a query, in the order of `key`, which names each row once."""

    is_text = False

    def __init__(self, connection: Any, *, table: str = "", query: str = "", key: str) -> None:
        """Raises `ScoringError` where it cannot be read."""
        from psycopg import sql

        self._connection = connection
        self._key = sql.Identifier(key)
        # It is sent with parameters, beside which a percent sign is written twice.
        text = query.strip().rstrip(";").replace("%", "%%")
        self._rows = _named(table) if table else sql.SQL("({})").format(sql.SQL(text))  # type: ignore[arg-type, unused-ignore]
        with self._read("SELECT * FROM {rows} AS q LIMIT %s", [0]) as cursor:
            self.columns = [column.name for column in cursor.description or ()]
        if key not in self.columns:
            raise ScoringError(
                f"The key column {key} is not among {', '.join(self.columns[:40])}.", "Name one of these columns."
            )
        self._check_key(key)
        with self._read("SELECT pg_typeof(q.{key})::text FROM {rows} AS q LIMIT %s", [1]) as cursor:
            self.key_type = str((cursor.fetchone() or ("text",))[0])

    def _check_key(self, key: str) -> None:
        statement = (
            "SELECT {key}::text, count(*) FROM {rows} AS q GROUP BY {key} HAVING count(*) > 1 OR {key} IS NULL LIMIT %s"
        )
        with self._read(statement, [1]) as cursor:
            found = cursor.fetchone()
        if found is not None:
            what = "is empty in" if found[0] is None else f"is {found[0]!r} in"
            raise ScoringError(
                f"The key column {key} {what} {found[1]} row{'s' if found[1] > 1 else ''}; it must name each row once.",
                "Name another key column, or leave those rows out with a query.",
            )

    def count(self) -> int:
        with self._read("SELECT count(*) FROM {rows} AS q LIMIT %s", [1]) as cursor:
            return int((cursor.fetchone() or (0,))[0])

    def chunks(self, size: int, *, skip: int, after: str) -> Iterator[Chunk]:
        is_first = skip == 0
        while True:
            given = [size] if is_first else [after, size]
            with self._read(_FIRST if is_first else _NEXT, given) as cursor:
                found = cursor.fetchall()
            if not found:
                return
            keys = [str(row[-1]) for row in found]
            is_first, after = False, keys[-1]
            yield Chunk([dict(zip(self.columns, row, strict=False)) for row in found], {}, keys)

    def _read(self, statement: str, given: Sequence[Any]) -> Any:
        """A cursor with the answer. Parameters keep the driver to one statement, and the transaction to reading."""
        import psycopg
        from psycopg import sql

        whole = sql.SQL(statement).format(rows=self._rows, key=self._key, text=sql.Identifier(KEY_TEXT))  # type: ignore[arg-type, unused-ignore]
        try:
            with self._connection.transaction():
                self._connection.execute("SET TRANSACTION READ ONLY")
                return self._connection.execute(whole, given)
        except psycopg.Error as error:
            raise ScoringError(
                f"The database refused to read it: {_said(error)}.",
                "See whether the table or query is right and the connection's role may read it.",
            ) from None


class TableTarget:
    """A table that gets the predictions by key. Writing the same key again replaces what was written."""

    def __init__(self, connection: Any, table: str, key: str, key_type: str, prediction_type: str) -> None:
        """Makes the table, or the columns that it lacks. Raises `ScoringError`."""
        self._connection = connection
        self._key = key
        self._table = table
        self._said(self._prepare, key_type, prediction_type)

    def _prepare(self, key_type: str, prediction_type: str) -> None:
        from psycopg import sql

        columns = {**WRITTEN, "prediction": prediction_type}
        with self._connection.transaction():
            self._connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} ({} {} PRIMARY KEY)").format(
                    _named(self._table),
                    sql.Identifier(self._key),
                    sql.SQL(key_type),  # type: ignore[arg-type, unused-ignore]
                )
            )
            for name, kind in columns.items():
                if name not in self._types():
                    self._connection.execute(
                        sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
                            _named(self._table),
                            sql.Identifier(name),
                            sql.SQL(kind),  # type: ignore[arg-type, unused-ignore]
                        )
                    )
        types = self._types()
        if self._key not in types:
            raise ScoringError(
                f"The table {self._table} has no column {self._key}.",
                "Let the job make a table of its own: name one that is not there yet.",
            )
        self._own = {name: types[name] for name in (self._key, *WRITTEN)}

    @property
    def is_json(self) -> bool:
        """Whether the column of predictions holds JSON."""
        return self._own["prediction"] in ("json", "jsonb")

    def _types(self) -> dict[str, str]:
        return column_types(self._connection, self._table)

    def write(self, rows: Sequence[tuple[str, Any, Any, str, str | None, str]]) -> None:
        """Keys, predictions, probabilities by class, ids, errors and moments, in the order of the columns."""
        self._said(self._write, rows)

    def _write(self, rows: Sequence[tuple[str, Any, Any, str, str | None, str]]) -> None:
        from psycopg import sql

        names = list(self._own)
        quoted = [sql.Identifier(name) for name in names]
        values = [
            sql.SQL("s.{}::{}").format(sql.Identifier(name), sql.SQL(kind))  # type: ignore[arg-type, unused-ignore]
            for name, kind in self._own.items()
        ]
        parts = {
            "table": _named(self._table),
            "same": sql.SQL("t.{} = {}").format(quoted[0], values[0]),
            "changes": sql.SQL(", ").join(
                sql.SQL("{} = {}").format(name, value) for name, value in zip(quoted[1:], values[1:], strict=True)
            ),
            "names": sql.SQL(", ").join(quoted),
            "values": sql.SQL(", ").join(values),
        }
        staging = sql.SQL(", ").join(sql.SQL("{} text").format(name) for name in quoted)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE TEMPORARY TABLE modelwright_scored ({}) ON COMMIT DROP").format(staging))
            with cursor.copy("COPY modelwright_scored FROM STDIN") as copy:
                for key, prediction, probabilities, *rest in rows:
                    copy.write_row([key, _text(prediction, self.is_json), _text(probabilities, True), *rest])
            cursor.execute(
                sql.SQL("UPDATE {table} AS t SET {changes} FROM modelwright_scored AS s WHERE {same}").format(**parts)
            )
            cursor.execute(
                sql.SQL(
                    "INSERT INTO {table} ({names}) SELECT {values} FROM modelwright_scored AS s "
                    "WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {same})"
                ).format(**parts)
            )

    def _said(self, work: Any, *given: Any) -> None:
        import psycopg

        try:
            work(*given)
        except psycopg.Error as error:
            raise ScoringError(
                f"The predictions could not be written to the table {self._table}: {_said(error)}.",
                "See whether the connection's role may make and change it, and whether its columns have fitting types.",
            ) from None


def column_types(connection: Any, table: str) -> dict[str, str]:
    """The columns of the table and their types in SQL, none where there is no such table."""
    # Without lengths: a cast to varchar(10) would cut off what an assignment refuses.
    statement = (
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    )
    quoted = ".".join('"{}"'.format(part.replace('"', '""')) for part in table.split("."))
    return dict(connection.execute(statement, [quoted]).fetchall())


def prediction_type(values: Sequence[Any]) -> str:
    """The type of a new column for predictions such as these."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {bool}:
        return "boolean"
    if kinds and kinds <= {int}:
        return "bigint"
    if kinds and kinds <= {int, float}:
        return "double precision"
    return "text" if kinds <= {str} else "jsonb"


def _text(value: Any, is_json: bool) -> str | None:
    if value is None:
        return None
    if is_json or isinstance(value, (dict, list, bool)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value if isinstance(value, str) else repr(value)

"""Predictions into PostgreSQL, with what is counted of them. Ids make a repeated one harmless: it is not counted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import psycopg
from django.db import DataError, IntegrityError, connection, transaction
from psycopg import errors

from models.predictions.counting import count
from models.predictions.names import Names
from models.predictions.records import COLUMNS, Ids, Record, Row, ids_of, row_of

logger = logging.getLogger(__name__)

# COPY raises the driver's own errors, everything else Django's.
UNSTORABLE = (DataError, psycopg.DataError, errors.ProgramLimitExceeded, errors.StatementTooComplex)
ALREADY_THERE = (IntegrityError, errors.UniqueViolation)
NO_PREDICTION = (KeyError, TypeError, ValueError, OverflowError, OSError, AttributeError)

PIECE_ROWS = 500


class NoPrediction(ValueError):
    """A record that no row can be made of, and never will be."""


_FIELDS = ", ".join(COLUMNS)
_STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS predictions_incoming (LIKE predictions_prediction INCLUDING DEFAULTS)
ON COMMIT DELETE ROWS
"""
_INSERT = f"""
INSERT INTO predictions_prediction ({_FIELDS}) SELECT {_FIELDS} FROM predictions_incoming
ON CONFLICT (id) DO NOTHING RETURNING id
"""  # noqa: S608 - names of columns


class Naming(Protocol):
    """Where the columns `records.NAMED` come from, as of `names.Names`."""

    def prepare(self, wanted: Iterable[Ids]) -> set[Ids]: ...

    def __call__(self, ids: Ids) -> bytes: ...


_names = Names()


@transaction.atomic
def store(records: Sequence[Record], names: Naming = _names) -> int:
    """Store what is not stored yet, count it, and return how many that were. Raises `NoPrediction`."""
    made = _Rows(records, names)
    try:
        stored = _store(made)
    except UNSTORABLE:
        # One record in it that PostgreSQL cannot store must not hold up, or cost, the others.
        stored = [row for row, source in made.all() for row in _store_alone(row, source, names)]
    count(stored)
    return len(stored)


class _Rows:
    """Makes rows of records, a piece at a time: PostgreSQL works on one while the next is made."""

    def __init__(self, records: Sequence[Record], names: Naming) -> None:
        self._names = names
        self.rows: list[Row] = []
        self._sources: list[Record] = []
        wanted = set()
        for record in records:
            try:
                wanted.add(ids_of(record))
            except NO_PREDICTION:
                continue
        self._wrong = names.prepare(wanted)
        self._rest = iter(records)

    def pieces(self) -> Iterator[list[Row]]:
        """The rows that are not made yet."""
        while records := list(islice(self._rest, PIECE_ROWS)):
            piece: list[Row] = []
            for record in records:
                try:
                    if self._wrong and ids_of(record) in self._wrong:
                        raise ValueError("an id is none")
                    piece.append(row_of(record, self._names))
                    self._sources.append(record)
                except NO_PREDICTION as error:
                    raise NoPrediction(f"a record is no prediction: {error!r}") from error
            self.rows += piece
            yield piece

    def all(self) -> Iterator[tuple[Row, Record]]:
        """Every row and what it was made of."""
        for _ in self.pieces():
            pass
        return zip(self.rows, self._sources, strict=True)


def _store(made: _Rows) -> Sequence[Row]:
    """The rows that were not there before."""
    try:
        with transaction.atomic():
            _copy("predictions_prediction", made.pieces())
        return made.rows
    except ALREADY_THERE:
        rows = [row for row, _ in made.all()]
    return _store_new(rows)


def _store_new(rows: Sequence[Row]) -> Sequence[Row]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.execute("DELETE FROM predictions_incoming")
        _copy("predictions_incoming", [rows])
        cursor.execute(_INSERT)
        new = {found.hex for (found,) in cursor.fetchall()}
    fresh = []
    for row in rows:
        if row.id in new:
            new.discard(row.id)
            fresh.append(row)
    return fresh


def _store_alone(row: Row, source: Record, names: Naming) -> Sequence[Row]:
    try:
        with transaction.atomic():
            return _store_new([row])
    except UNSTORABLE:
        logger.exception("prediction %s is stored without its values", row.id)
        return _store_new([row_of(source, names, with_values=False)])


def _copy(table: str, pieces: Iterable[Sequence[Row]]) -> None:
    with connection.cursor() as cursor:
        copying: Any = cursor.copy(f"COPY {table} ({_FIELDS}) FROM STDIN")
        with copying as copy:
            for rows in pieces:
                if rows:
                    copy.write(b"\n".join([row.line for row in rows]) + b"\n")

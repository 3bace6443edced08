"""Predictions into PostgreSQL, with what is counted of them. Ids make a repeated one harmless: it is not counted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
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
    """Store what is not stored yet, count it, and return how many that were. What is no prediction is logged."""
    rows, sources = _rows_of(records, names)
    if not rows:
        return 0
    try:
        stored = _store(rows)
    except UNSTORABLE:
        # One record in it that PostgreSQL cannot store must not hold up, or cost, the others.
        stored = [row for row, source in zip(rows, sources, strict=True) for row in _store_alone(row, source, names)]
    count(stored)
    return len(stored)


def _rows_of(records: Sequence[Record], names: Naming) -> tuple[list[Row], list[Record]]:
    rows: list[Row] = []
    sources: list[Record] = []
    wanted = set()
    for record in records:
        try:
            wanted.add(ids_of(record))
        except NO_PREDICTION:
            continue
    wrong = names.prepare(wanted)
    for record in records:
        try:
            if ids_of(record) in wrong:
                raise ValueError("an id is none")
            rows.append(row_of(record, names))
            sources.append(record)
        except NO_PREDICTION:
            logger.exception("a record is no prediction: %.2000r", record)
    return rows, sources


def _store(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that were not there before."""
    try:
        with transaction.atomic():
            _copy("predictions_prediction", rows)
        return rows
    except ALREADY_THERE:
        pass
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.execute("DELETE FROM predictions_incoming")
        _copy("predictions_incoming", rows)
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
            return _store([row])
    except UNSTORABLE:
        logger.exception("prediction %s is stored without its values", row.id)
        return _store([row_of(source, names, with_values=False)])


def _copy(table: str, rows: Sequence[Row]) -> None:
    with connection.cursor() as cursor:
        copying: Any = cursor.copy(f"COPY {table} ({_FIELDS}) FROM STDIN")
        with copying as copy:
            copy.write(b"".join([row.line for row in rows]))

"""Writes predictions back to a table: those of a chunk that is stored, so that no id in the table is not on record."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from . import outputs, tables


class WriteBack:
    """A table that gets the predictions of a job's chunks by key."""

    def __init__(self, connection: Any, table: str, key: str, key_type: str, *, is_parquet: bool) -> None:
        self._connection = connection
        self._table = table
        self._key = key
        self._key_type = key_type
        self._is_parquet = is_parquet
        self._target: tables.TableTarget | None = None

    def prepare(self, predictions: list[Any]) -> tables.TableTarget:
        """Make the table, or the columns that it lacks, for predictions such as these. Raises `ScoringError`.

        Before a chunk is stored: so the table has its types when a chunk is written from its part.
        """
        if self._target is None:
            kind = tables.prediction_type(predictions)
            self._target = tables.TableTarget(self._connection, self._table, self._key, self._key_type, kind)
        return self._target

    def write(self, columns: outputs.Columns) -> None:
        """Write what a part of the output has. Raises `ScoringError`."""
        predictions = columns[outputs.PREDICTION]
        target = self.prepare(predictions)
        keys = ["" if key is None else str(key) for key in columns[outputs.key_column(self._key)]]
        now = datetime.datetime.now(datetime.UTC).isoformat()
        moments = [now] * len(keys)
        shares = _shares(columns, self._key)
        ids, errors = columns[outputs.ID], columns[outputs.ERROR]
        target.write(list(zip(keys, predictions, shares, ids, errors, moments, strict=True)))

    def write_stored(self, part: Path) -> None:
        """The same for the part of a chunk that is stored: the process may have ended before it was written."""
        columns = outputs.read_parquet(part) if self._is_parquet else _with_numbers(outputs.read_csv(part), self._key)
        predictions = [_meant(value) for value in columns[outputs.PREDICTION]]
        if self.prepare(predictions).is_json:
            columns[outputs.PREDICTION] = predictions
        self.write(columns)


def _shares(columns: outputs.Columns, key: str) -> list[dict[str, float] | None]:
    """The probabilities by class of each row, None where it has none."""
    found = {name[len(outputs.PROBABILITY) :]: columns[name] for name in _names_of_shares(columns, key)}
    rows = len(columns[outputs.ID])
    of_rows = [{label: values[row] for label, values in found.items()} for row in range(rows)]
    return [each if any(value is not None for value in each.values()) else None for each in of_rows]


def _names_of_shares(columns: outputs.Columns, key: str) -> list[str]:
    own = outputs.key_column(key)
    return [name for name in columns if name.startswith(outputs.PROBABILITY) and name != own]


def _with_numbers(columns: outputs.Columns, key: str) -> outputs.Columns:
    made = dict(columns)
    for name in _names_of_shares(columns, key):
        made[name] = [None if value is None else float(value) for value in columns[name]]
    return made


def _meant(value: Any) -> Any:
    """What a cell stands for: JSON where it is JSON, else the text. A text such as 5 cannot be told from the number."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return value


def _refuse(name: str) -> Any:
    raise ValueError(name)

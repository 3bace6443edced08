"""Reads CSV and Parquet in chunks: no more than one of them is in memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .errors import ScoringError

Raw = Mapping[str, Any]
# The code of the error of a row that is broken.
BROKEN = "bad_row"
MAX_CELL_BYTES = 16 * 1024 * 1024


class Chunk(NamedTuple):
    """Rows as they were read; a row that is broken has its reason in `broken`. `keys` are of tables alone."""

    rows: list[Raw]
    broken: dict[int, str]
    keys: Sequence[str] = ()

    @property
    def last_key(self) -> str:
        """The key of the last row as text, empty where rows have none."""
        return self.keys[-1] if self.keys else ""

    def part(self, start: int, end: int) -> Chunk:
        """Its rows from place `start` to before `end`."""
        broken = {place - start: why for place, why in self.broken.items() if start <= place < end}
        return Chunk(self.rows[start:end], broken, self.keys[start:end])

    def without_broken(self) -> Chunk:
        """The same without the values of broken rows, of which nobody can tell under which names they stand."""
        rows: list[Raw] = [{} if place in self.broken else row for place, row in enumerate(self.rows)]
        return self._replace(rows=rows)


class Source(Protocol):
    """Something to read. `is_text` says that all values are texts."""

    @property
    def is_text(self) -> bool: ...

    @property
    def columns(self) -> Sequence[str]: ...

    def count(self) -> int:
        """How many rows there are."""
        ...

    def chunks(self, size: int, *, skip: int, after: str) -> Iterator[Chunk]:
        """Chunks of `size` rows that follow the first `skip`, of which the last has the key `after`."""
        ...


class CsvSource:
    """A CSV file in UTF-8 whose first line names the columns."""

    is_text = True

    def __init__(self, path: Path) -> None:
        """Raises `ScoringError` where it is none."""
        self._path = path
        csv.field_size_limit(MAX_CELL_BYTES)
        self._delimiter = _delimiter(path)
        self.columns = next(self._lines(), [])
        if not self.columns:
            raise ScoringError("The CSV file is empty.", "Its first line must name the columns.")
        twice = {name for name in self.columns if self.columns.count(name) > 1}
        if twice:
            raise ScoringError(
                f"The CSV file has more than one column called {', '.join(sorted(twice))}.", "Rename one of them."
            )

    def count(self) -> int:
        return sum(1 for row in self._lines() if row) - 1

    def chunks(self, size: int, *, skip: int, after: str) -> Iterator[Chunk]:
        del after
        lines = (row for row in self._lines() if row)
        next(lines)
        for _ in range(skip):
            next(lines, None)
        rows: list[Raw] = []
        broken: dict[int, str] = {}
        for cells in lines:
            if len(cells) != len(self.columns):
                broken[len(rows)] = f"The line has {len(cells)} cells, and the first line names {len(self.columns)}."
            rows.append(dict(zip(self.columns, cells, strict=False)))
            if len(rows) == size:
                yield Chunk(rows, broken)
                rows, broken = [], {}
        if rows:
            yield Chunk(rows, broken)

    def _lines(self) -> Iterator[list[str]]:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.reader(file, delimiter=self._delimiter)
        except UnicodeDecodeError as error:
            raise ScoringError(f"The CSV file is not in UTF-8: {error}.", "Save it in UTF-8.") from None
        except csv.Error as error:
            raise ScoringError(f"The CSV file cannot be read: {error}.", "Correct it, or give Parquet.") from None


def _delimiter(path: Path) -> str:
    """The separator that stands most often in the first line."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline(1024 * 1024)
    return max(",;\t|", key=first.count) if first.strip() else ","


class ParquetSource:
    """A Parquet file."""

    is_text = False

    def __init__(self, path: Path) -> None:
        """Raises `ScoringError` where it is none."""
        import pyarrow
        import pyarrow.parquet

        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise ScoringError(f"It is no Parquet file: {error}.", "Give Parquet, or say that it is CSV.") from None
        self.columns = self._file.schema_arrow.names

    def count(self) -> int:
        return int(self._file.metadata.num_rows)

    def chunks(self, size: int, *, skip: int, after: str) -> Iterator[Chunk]:
        del after
        groups, rest = self._from(skip)
        left: list[Raw] = []
        for batch in self._file.iter_batches(batch_size=size, row_groups=groups):
            rows = batch.to_pylist()
            if rest:
                rows, rest = rows[rest:], max(0, rest - len(rows))
            left += rows
            while len(left) >= size:
                yield Chunk(left[:size], {})
                left = left[size:]
        if left:
            yield Chunk(left, {})

    def _from(self, skip: int) -> tuple[list[int], int]:
        """The row groups that hold what follows the first `skip` rows, and how many of the first one's are skipped."""
        metadata = self._file.metadata
        first = 0
        while first < metadata.num_row_groups and skip >= metadata.row_group(first).num_rows:
            skip -= metadata.row_group(first).num_rows
            first += 1
        return list(range(first, metadata.num_row_groups)), skip

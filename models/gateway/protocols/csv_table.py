"""CSV with a header line, read as `pandas.read_csv` reads it with the types of the signature."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from models.gateway.fields import Field, are_unnamed
from models.gateway.protocols.bodies import Record, bad, repeated

REMEDY = "Send a header line with the names of the columns, then one line per record, as DataFrame.to_csv writes it."
MAX_COLUMNS = 5000
MAX_CELLS = 2_000_000  # a short line stands for all of its columns, so a small body may hold a large table

# What pandas takes for a missing value.
MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"),
        *("NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
_TRUTH = {"true": True, "false": False}


def records_of(body: bytes, fields: Sequence[Field], limit: int) -> list[Record]:
    """The records of a table, at most one more than `limit`. Raises `BadBody`."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad(f"The body is no UTF-8: {error}.", REMEDY) from None
    rows = _rows(text)
    header = next(rows, None)
    if header is None:
        raise bad("The body is empty.", REMEDY)
    names = header[1]
    if len(names) > MAX_COLUMNS:
        raise bad(f"The header names {len(names)} columns; {MAX_COLUMNS} are read.", "Leave out what is not needed.")
    twice = repeated(names)
    if twice is not None:
        raise bad(f"The header names the column {twice[:80]!r} twice.", REMEDY)
    kinds = {field.name: field.kind for field in fields}
    if are_unnamed(fields):
        kinds = dict(zip(names, kinds.values(), strict=False))
    # What the model does not have is left out before anything is made of it.
    places = [place for place, name in enumerate(names) if not kinds or name in kinds]
    names = [names[place] for place in places]
    lines = _lines(islice(rows, limit + 1), len(header[1]), places)
    readers = [_reader(kinds.get(name), [row[i] for row in lines]) for i, name in enumerate(names)]
    return [{name: read(text) for name, read, text in zip(names, readers, row, strict=True)} for row in lines]


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if len(row) > 1 or (row and not _is_blank(row[0], text, lines.tell())):
                yield reader.line_num, row
    except csv.Error as error:
        raise bad(f"Line {reader.line_num} is no CSV: {error}.", REMEDY) from None


def _is_blank(cell: str, text: str, end: int) -> bool:
    """Whether the line of this one cell, which ends there, has blanks alone and no quotes: pandas skips it."""
    return bool(cell) and not cell.strip(" \t") and not text[max(end - 3, 0) : end].rstrip("\r\n").endswith('"')


def _lines(rows: Iterator[tuple[int, list[str]]], count: int, places: Sequence[int]) -> list[list[str]]:
    """The cells at those places of each row, empty where a short one has none."""
    lines: list[list[str]] = []
    for line, row in rows:
        if len(row) > count:
            raise bad(f"Line {line} has {len(row)} values for {count} columns.", REMEDY)
        if (len(lines) + 1) * len(places) > MAX_CELLS:
            raise bad(f"The table has more than {MAX_CELLS} cells.", "Share its lines among several requests.")
        if len(row) == count == len(places):
            lines.append(row)
        else:
            lines.append([row[place] if place < len(row) else "" for place in places])
    return lines


def _reader(kind: str | None, texts: Sequence[str]) -> Callable[[str], Any]:
    """What turns a cell into a value. What is none of the type stays text, so that the signature names it."""
    if kind is None:
        kind = _guessed([text for text in texts if text not in MISSING])
    convert = _CONVERT.get(kind, str)

    def read(text: str) -> Any:
        if text in MISSING:
            return None
        try:
            return convert(text)
        except ValueError:
            return text

    return read


def _guessed(texts: Sequence[str]) -> str:
    for kind, convert in _GUESSES.items():
        try:
            for text in texts:
                convert(text)
        except ValueError:
            continue
        return kind
    return "string"


def _whole(text: str) -> Any:
    # Python reads underscores in numbers, CSV has none; JSON has no more than 64 bits.
    if "_" in text or len(text) > 20:
        raise ValueError(text)
    number = int(text)
    if not -(2**63) <= number < 2**64:
        raise ValueError(text)
    return number


def _whole_or_point(text: str) -> Any:
    """A whole number, also as `3.0` or `3e2`: pandas writes it so where a column has gaps."""
    try:
        return _whole(text)
    except ValueError:
        number = _number(text)
        # Beyond that, a digit may be lost.
        if not number.is_integer() or abs(number) > 2**53:
            raise
        return int(number)


def _number(text: str) -> float:
    number = float(text)
    if "_" in text or number - number != 0:
        raise ValueError(text)
    return number


def _truth(text: str) -> bool:
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _truth_or_number(text: str) -> bool:
    try:
        return _truth(text)
    except ValueError:
        number = _number(text)
        if number not in (0, 1):
            raise
        return number == 1


_GUESSES: dict[str, Callable[[str], Any]] = {"long": _whole, "double": _number, "boolean": _truth}
_CONVERT: dict[str, Callable[[str], Any]] = {
    "integer": _whole_or_point,
    "long": _whole_or_point,
    "float": _number,
    "double": _number,
    "boolean": _truth_or_number,
}

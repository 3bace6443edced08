"""The output: a part for each chunk, which is a whole file by itself, and one file of all parts at the end."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .limits import MAX_PART_BYTES

ROW, PREDICTION, PROBABILITY, ID, ERROR = "row", "prediction", "probability_", "prediction_id", "error"
Columns = dict[str, list[Any]]
# A spreadsheet would take a cell that begins with one of these for a formula, unless it is a number.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[+-][0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def columns_of(
    keys: dict[str, list[Any]],
    rows: Sequence[int],
    predictions: Sequence[Any],
    probabilities: Sequence[list[float] | None],
    classes: Sequence[Any] | None,
    ids: Sequence[str],
    errors: Sequence[str | None],
) -> Columns:
    """The columns of a part in their order. A key column that is called as one of ours keeps its name, with `_key`."""
    made: Columns = {}
    for name, values in keys.items():
        made[key_column(name)] = values
    made[ROW] = list(rows)
    made[PREDICTION] = list(predictions)
    for place, label in enumerate(classes or ()):
        made[f"{PROBABILITY}{label}"] = [None if each is None else each[place] for each in probabilities]
    made[ID] = list(ids)
    made[ERROR] = list(errors)
    return made


def key_column(name: str) -> str:
    """How the key column of that name is called in the output."""
    return name if name not in (ROW, PREDICTION, ID, ERROR) else f"{name}_key"


def csv_part(columns: Columns) -> bytes:
    """The part as CSV in UTF-8 with its names in the first line. What is no number or text is written as JSON.

    A text, or a name, that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_harmless(name) for name in columns])
    cells = ([_harmless(_cell(value)) for value in values] for values in columns.values())
    writer.writerows(zip(*cells, strict=True))
    return text.getvalue().encode()


def _harmless(text: str) -> str:
    """Keys such as -7 stay what they are: whoever joins the output with the input needs them so."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text) else text


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return value if isinstance(value, str) else _json(value) if isinstance(value, (dict, list)) else str(value)


def read_csv(part: Path) -> Columns:
    """The columns of a part that `csv_part` made: texts, or None where a cell is empty."""
    csv.field_size_limit(MAX_PART_BYTES)
    with part.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    columns = [[_read(cell) for cell in cells] for cells in zip(*rows, strict=True)] or [[] for _ in names]
    return dict(zip([_bare(name) for name in names], columns, strict=True))


def _read(cell: str) -> str | None:
    return _bare(cell) if cell else None


def _bare(text: str) -> str:
    """A text without the apostrophe that `_harmless` gave it."""
    return text[1:] if text.startswith("'") and _harmless(text[1:]) == text else text


def read_parquet(part: Path) -> Columns:
    """The columns of a part that `parquet_part` made."""
    import pyarrow.parquet

    columns: Columns = pyarrow.parquet.read_table(part).to_pydict()
    return columns


def parquet_part(columns: Columns) -> bytes:
    """The part as Parquet."""
    import pyarrow
    import pyarrow.parquet

    arrays = {name: _array(pyarrow, values) for name, values in columns.items()}
    target = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), target)
    return target.getvalue()


def _array(pyarrow: Any, values: list[Any]) -> Any:
    if any(isinstance(value, (dict, list)) for value in values):
        values = [None if value is None else _json(value) for value in values]
    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowException, TypeError, ValueError):
        return pyarrow.array([None if value is None else _cell(value) for value in values])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def join_csv(parts: Sequence[Path], target: Path) -> None:
    """All parts as one CSV file. A part that knew no probabilities yet gets empty ones."""
    names: list[str] = []
    for part in parts:
        with part.open(encoding="utf-8", newline="") as file:
            own = next(csv.reader(file))
        names = own if len(own) > len(names) else names
    with target.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerow(names)
        for part in parts:
            with part.open(encoding="utf-8", newline="") as file:
                _append(file, names, out)


def _append(file: Any, names: list[str], out: Any) -> None:
    start = next(csv.reader(iter(file.readline, "")))
    if start == names:
        shutil.copyfileobj(file, out)
        return
    places = [start.index(name) if name in start else -1 for name in names]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([row[place] if place >= 0 else "" for place in places] for row in csv.reader(file))


def join_parquet(parts: Sequence[Path], target: Path) -> None:
    """All parts as one Parquet file, each a row group, with the types that hold all of their values."""
    import pyarrow
    import pyarrow.parquet

    schema = _common(pyarrow, [pyarrow.parquet.read_schema(part) for part in parts])
    with pyarrow.parquet.ParquetWriter(target, schema) as writer:
        for part in parts:
            table = pyarrow.parquet.read_table(part)
            columns = [_fitted(pyarrow, table, field) for field in schema]
            writer.write_table(pyarrow.table(columns, schema=schema))


def _common(pyarrow: Any, schemas: Iterable[Any]) -> Any:
    longest = max(schemas := list(schemas), key=len)
    return pyarrow.schema([pyarrow.field(name, _type(pyarrow, name, schemas)) for name in longest.names])


def _type(pyarrow: Any, name: str, schemas: Iterable[Any]) -> Any:
    found = {schema.field(name).type for schema in schemas if name in schema.names}
    found.discard(pyarrow.null())
    if len(found) <= 1:
        return found.pop() if found else pyarrow.string()
    is_numeric = all(pyarrow.types.is_integer(each) or pyarrow.types.is_floating(each) for each in found)
    return pyarrow.float64() if is_numeric else pyarrow.string()


def _fitted(pyarrow: Any, table: Any, field: Any) -> Any:
    if field.name not in table.column_names:
        return pyarrow.nulls(table.num_rows, field.type)
    column = table.column(field.name)
    return column if column.type == field.type else column.cast(field.type)

"""Truth in a CSV table: a row each, with the columns of an item."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from itertools import islice
from uuid import UUID

from models.endpoints.models import Endpoint
from models.gateway.feedback_items import KEYS, MAX_ITEMS, BadItem, read_item
from models.predictions.feedback_services import MAX_ERRORS, Placed, errors_at, refuse
from models.predictions.feedback_types import Signature, current_signature, known_predictions, value_of_text
from modelwright.core.errors import FieldError, ValidationFailed

MAX_BYTES = 20 * 1024 * 1024
MAX_COLUMNS = 50
# Some of them may be empty.
MAX_LINES = 2 * MAX_ITEMS
_DELIMITERS = ",;\t"
_COLUMNS = "Columns are prediction_id (or response), truth, and if you like record, happened_at and known_at."

# The number of a row, as a spreadsheet shows it, and its cells that are not empty.
Row = tuple[int, dict[str, str]]


def read_table(endpoint: Endpoint, content: bytes) -> list[Placed]:
    """The items of a CSV file, whose truth is typed by the version that answered. Raises ValidationFailed: all rows
    that are wrong, each with its number, the column, what is wrong and what to do."""
    rows = _rows(content)
    ids = {id_ for _, cells in rows if (id_ := _id(cells.get("prediction_id", "")))}
    signatures = {id_: known.signature for id_, known in known_predictions(endpoint.pk, ids).items()}
    usual = current_signature(endpoint.pk)
    placed: list[Placed] = []
    errors: list[FieldError] = []
    now = time.time()
    for number, cells in rows:
        id_ = _id(cells.get("prediction_id", ""))
        try:
            item = read_item(_item(cells, signatures.get(id_, usual) if id_ else usual), now=now)
            placed.append(Placed(f"row {number}", item))
        except BadItem as bad:
            errors += errors_at(f"row {number}", bad)
        if len(errors) > MAX_ERRORS:
            break
    if errors:
        raise refuse(errors)
    return placed


def _rows(content: bytes) -> list[Row]:
    if len(content) > MAX_BYTES:
        raise _unfit(f"The file is larger than {MAX_BYTES // 2**20} MiB.", "Send it in parts.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unfit(f"The file is no UTF-8: {error.reason} at byte {error.start}.", "Save it as UTF-8.") from None
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=head.count), strict=True)
    try:
        first = next(reader, [])
        if len(first) > MAX_COLUMNS:
            raise _unfit(f"The first row has {len(first)} cells.", _COLUMNS)
        names = [name.strip().lower() for name in first]
        _check_names(names)
        rows = list(islice(_numbered(names, reader), MAX_ITEMS + 1))
    except csv.Error as error:
        raise _unfit(
            f"Line {reader.line_num} is no CSV: {error}.", "Put cells with quotes or commas in quotes."
        ) from None
    if not 1 <= len(rows) <= MAX_ITEMS:
        count = len(rows) if len(rows) <= MAX_ITEMS else f"more than {MAX_ITEMS}"
        raise _unfit(f"The file has {count} rows of feedback.", f"Send 1 to {MAX_ITEMS} rows at once.")
    return rows


def _check_names(names: list[str]) -> None:
    unknown = [name for name in names if name not in KEYS]
    if unknown or len(set(names)) != len(names):
        shown = ", ".join(repr(name[:40]) for name in unknown[:5]) or "the same column twice"
        raise _unfit(f"The first row has {shown}.", _COLUMNS)
    if "truth" not in names or not {"prediction_id", "response"} & set(names):
        raise _unfit("The first row names no truth, or nothing that it is the truth of.", _COLUMNS)


def _numbered(names: list[str], reader: Iterator[list[str]]) -> Iterator[Row]:
    for number, cells in enumerate(reader, 2):
        if number > MAX_LINES:
            raise _unfit(f"The file has more than {MAX_LINES} lines.", f"Send 1 to {MAX_ITEMS} rows at once.")
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(names):
            raise _unfit(f"Row {number} has {len(cells)} cells and the first row {len(names)}.", _COLUMNS)
        yield number, {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}


def _item(cells: dict[str, str], signature: Signature) -> dict[str, object]:
    item: dict[str, object] = {name: cell.strip() for name, cell in cells.items()}
    for name in ("truth", "response"):
        if name in cells:
            item[name] = value_of_text(signature, cells[name])
    record = cells.get("record", "").strip()
    if record.isascii() and record.isdigit() and len(record) < 10:
        item["record"] = int(record)
    return item


def _id(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _unfit(message: str, remedy: str) -> ValidationFailed:
    return ValidationFailed(message, remedy=remedy, field="file")

"""Audit rows as CSV or JSON lines, written page by page so that a long log needs no memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import QuerySet

from modelwright.audit.models import AuditEvent

COLUMNS = (
    "id", "at", "actor_id", "actor_kind", "actor_name", "actor_role", "token_id", "action", "target_kind", "target_id",
    "target_name", "workspace_id", "project_id", "before", "after", "reason", "request_id", "address",
)  # fmt: skip
CHUNK_ROWS = 500
# A spreadsheet would take a cell that begins with one of these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, dict | list):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _cell(value: Any) -> str:
    plain = _plain(value)
    text = "" if plain is None else plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _csv(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


class Export:
    """Rows newest first, in pieces of text. The rows are those at the moment of `__init__`."""

    def __init__(self, rows: QuerySet[AuditEvent], form: str) -> None:
        self.form = form
        self._rows = rows.order_by("-pk")
        newest = self._rows.first()
        self._after = newest.pk if newest else None
        self._inclusive = True

    @property
    def content_type(self) -> str:
        """The media type."""
        return "text/csv; charset=utf-8" if self.form == "csv" else "application/x-ndjson"

    def _head(self) -> str:
        return _csv([list(COLUMNS)]) if self.form == "csv" else ""

    def _next(self) -> str:
        """The next piece, empty at the end."""
        if self._after is None:
            return ""
        bound = {"pk__lte" if self._inclusive else "pk__lt": self._after}
        rows = list(self._rows.filter(**bound)[:CHUNK_ROWS])
        self._inclusive = False
        self._after = rows[-1].pk if rows else None
        if self.form == "csv":
            return _csv([[_cell(getattr(row, name)) for name in COLUMNS] for row in rows])
        return "".join(
            json.dumps({name: _plain(getattr(row, name)) for name in COLUMNS}, ensure_ascii=False) + "\n"
            for row in rows
        )

    def __iter__(self) -> Iterator[str]:
        """For a synchronous server."""
        yield self._head()
        while piece := self._next():
            yield piece

    async def stream(self) -> AsyncIterator[str]:
        """For an asynchronous server, which would otherwise gather the whole before it sends a byte."""
        yield self._head()
        while piece := await sync_to_async(self._next)():
            yield piece

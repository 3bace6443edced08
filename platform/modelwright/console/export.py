"""Rows as CSV or JSON lines, written page by page so that a long list needs no memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from modelwright.core.cells import cell, plain

COLUMNS = (
    "id", "at", "actor_id", "actor_kind", "actor_name", "actor_role", "token_id", "action", "target_kind", "target_id",
    "target_name", "workspace_id", "project_id", "before", "after", "reason", "request_id", "address",
)  # fmt: skip
CHUNK_ROWS = 500


def _csv(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


Record = Mapping[str, Any]


def audit_records(rows: Sequence[Any]) -> list[Record]:
    """Audit rows as they are exported."""
    return [{name: getattr(row, name) for name in COLUMNS} for row in rows]


class Export:
    """Rows newest first, in pieces of text. The rows are those at the moment of `__init__`.

    `records` makes of each page of rows one mapping for each row, with a value for each of `columns`.
    """

    def __init__(
        self,
        rows: QuerySet[Any],
        form: str,
        *,
        columns: Sequence[str] = COLUMNS,
        records: Callable[[Sequence[Any]], Sequence[Record]] = audit_records,
    ) -> None:
        self.form = form
        self._columns = columns
        self._records = records
        self._rows = rows.order_by("-pk")
        newest = self._rows.first()
        self._after = newest.pk if newest else None
        self._inclusive = True

    @property
    def content_type(self) -> str:
        """The media type."""
        return "text/csv; charset=utf-8" if self.form == "csv" else "application/x-ndjson"

    def _head(self) -> str:
        return _csv([list(self._columns)]) if self.form == "csv" else ""

    def _next(self) -> str:
        """The next piece, empty at the end."""
        if self._after is None:
            return ""
        bound = {"pk__lte" if self._inclusive else "pk__lt": self._after}
        rows = list(self._rows.filter(**bound)[:CHUNK_ROWS])
        self._inclusive = False
        self._after = rows[-1].pk if rows else None
        records = self._records(rows)
        if self.form == "csv":
            return _csv([[cell(record[name]) for name in self._columns] for record in records])
        return "".join(
            json.dumps({name: plain(record[name]) for name in self._columns}, ensure_ascii=False) + "\n"
            for record in records
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


def streamed(request: HttpRequest, exported: Export, name: str) -> StreamingHttpResponse:
    """The export as a file called `modelwright-<name>-<time>`."""
    # A synchronous iterator would be gathered whole under ASGI, an asynchronous one under WSGI.
    pieces = exported.stream() if isinstance(request, ASGIRequest) else iter(exported)
    response = StreamingHttpResponse(pieces, content_type=exported.content_type)
    file = f"modelwright-{name}-{timezone.now():%Y%m%d-%H%M%S}.{exported.form}"
    response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    response.headers["Cache-Control"] = "no-store"
    return response

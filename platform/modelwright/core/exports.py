"""Lists as files of CSV or JSON lines, made piece by piece, so that a long one needs no memory."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
CHUNK_ROWS = 500


class PiecewiseExport(ABC):
    """A list as text in pieces. `form` is one of `FORMATS`."""

    def __init__(self, form: str) -> None:
        self.form = form

    @property
    def content_type(self) -> str:
        """The media type."""
        return FORMATS[self.form]

    @abstractmethod
    def head(self) -> str:
        """What comes before the first row; may be empty."""

    @abstractmethod
    def piece(self) -> str | None:
        """The next rows, which may be none; None at the end."""

    def __iter__(self) -> Iterator[str]:
        """For a synchronous server."""
        yield self.head()
        while (piece := self.piece()) is not None:
            yield piece

    async def stream(self) -> AsyncIterator[str]:
        """For an asynchronous server, which would otherwise gather the whole before it sends a byte."""
        yield self.head()
        while (piece := await sync_to_async(self.piece)()) is not None:
            yield piece


def csv_text(rows: Sequence[Sequence[str]]) -> str:
    """Lines of CSV."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def streamed(request: HttpRequest, exported: PiecewiseExport, name: str) -> StreamingHttpResponse:
    """The export as a file called `modelwright-<name>-<time>`."""
    # A synchronous iterator would be gathered whole under ASGI, an asynchronous one under WSGI.
    pieces = exported.stream() if isinstance(request, ASGIRequest) else iter(exported)
    response = StreamingHttpResponse(pieces, content_type=exported.content_type)
    file = f"modelwright-{name}-{timezone.now():%Y%m%d-%H%M%S}.{exported.form}"
    response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    response.headers["Cache-Control"] = "no-store"
    return response

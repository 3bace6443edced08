"""Files of runs, sent so that no browser shows them in the platform's origin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import BinaryIO

from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from jobs.models import Run
from jobs.tracking.artifacts import open_artifact

_BLOCK = 256 * 1024
_TYPE = "application/octet-stream"


def attachment(request: HttpRequest | Request, run: Run, path: str) -> StreamingHttpResponse:
    """The artifact as a download, whatever it is. Raises NotFound, ValidationFailed, Unavailable."""
    stream, size = open_artifact(run.project.mlflow_workspace, run.pk, path)
    name = path.rsplit("/", 1)[-1]
    if hasattr(request, "scope"):
        # Under ASGI Django would read the whole of a synchronous stream into memory first.
        response = StreamingHttpResponse(_blocks(stream), content_type=_TYPE)
        response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    else:
        response = FileResponse(stream, as_attachment=True, filename=name, content_type=_TYPE)
    response.headers["Content-Length"] = str(size)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


async def _blocks(stream: BinaryIO) -> AsyncIterator[bytes]:
    with stream:
        while block := await asyncio.to_thread(stream.read, _BLOCK):
            yield block

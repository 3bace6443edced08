"""Answers with bytes of a project: to be saved, and never shown by the browser as what they would be.

Only pictures keep their type, so that `<img>` shows them: raster formats, known by their first bytes, in which nothing
runs and nothing is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import BinaryIO

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from projects import source
from projects.files.zips import zip_of
from projects.models import Project

_BLOCK = 256 * 1024
OCTETS = "application/octet-stream"
_PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def picture_type(data: bytes) -> str | None:
    """The media type of a picture that a page may show, None for everything else. The first bytes are enough."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _PICTURES.items() if data.startswith(start)), None)


def file_answer(content: source.FileContent) -> HttpResponseBase:
    """The file's bytes."""
    kind = picture_type(content.data) or OCTETS
    return _saved(HttpResponse(content.data, content_type=kind), content.path.rsplit("/", 1)[-1])


def archive_answer(request: HttpRequest | Request, project: Project, commit: str) -> HttpResponseBase:
    """The commit's files as a ZIP. Raises ValidationFailed where they are too many bytes."""
    archive = zip_of(project, commit)
    answer: HttpResponseBase
    if hasattr(request, "scope"):
        # Under ASGI Django would read the whole of a synchronous stream into memory first.
        answer = StreamingHttpResponse(_blocks(archive), content_type="application/zip")
    else:
        answer = FileResponse(archive, content_type="application/zip")
    return _saved(answer, f"{project.name}-{commit[:12]}.zip")


async def _blocks(stream: BinaryIO) -> AsyncIterator[bytes]:
    with stream:
        while block := await asyncio.to_thread(stream.read, _BLOCK):
            yield block


def _saved(response: HttpResponseBase, name: str) -> HttpResponseBase:
    # Paths hold no character that cannot be seen; Git may hold bytes that are no text.
    shown = name.encode(errors="replace").decode()
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Content-Disposition"] = content_disposition_header(True, shown) or "attachment"
    return response

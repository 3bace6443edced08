"""Answers with bytes of a project: to be saved, and never shown by the browser as what they would be.

Only pictures keep their type, so that `<img>` shows them: raster formats, known by their first bytes, in which nothing
runs and nothing is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
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


def file_answer(request: HttpRequest, project: Project, content: source.FileContent) -> HttpResponseBase:
    """The file's bytes, all of them: `content` may be the beginning alone."""
    kind = picture_type(content.data) or OCTETS
    answer: HttpResponseBase
    if content.is_truncated:
        blocks = _file_blocks if hasattr(request, "scope") else _plain_file_blocks
        answer = StreamingHttpResponse(blocks(project, content.digest), content_type=kind)
        answer.headers["Content-Length"] = str(content.size)
    else:
        answer = HttpResponse(content.data, content_type=kind)
    return _saved(answer, content.path.rsplit("/", 1)[-1])


def archive_answer(request: HttpRequest | Request, project: Project, commit: str) -> HttpResponseBase:
    """The commit's files as a ZIP. Raises ValidationFailed where they are too many bytes."""
    archive = zip_of(project, commit)
    answer: HttpResponseBase
    if hasattr(request, "scope"):
        # Django would read the whole of a synchronous stream into memory first.
        answer = StreamingHttpResponse(_blocks(archive), content_type="application/zip")
    else:
        answer = FileResponse(archive, content_type="application/zip")
    return _saved(answer, f"{project.name}-{commit[:12]}.zip")


def _plain_file_blocks(project: Project, digest: str) -> Iterator[bytes]:
    with source.FileStream(project, digest) as stream:
        while block := stream.read(_BLOCK):
            yield block


async def _file_blocks(project: Project, digest: str) -> AsyncIterator[bytes]:
    async for block in _blocks(await asyncio.to_thread(source.FileStream, project, digest)):
        yield block


async def _blocks(stream: BinaryIO | source.FileStream) -> AsyncIterator[bytes]:
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

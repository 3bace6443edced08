"""Stored files, sent so that no browser shows them in the platform's origin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from models.batch.models import BatchJob
from modelwright.core.errors import NotFound
from modelwright.storage.blobs import BlobStore
from modelwright.storage.settings import blob_store

_BLOCK = 256 * 1024
_TYPE = "application/octet-stream"


def output_of(request: HttpRequest | Request, job: BatchJob) -> StreamingHttpResponse:
    """The job's output as a download. Raises NotFound while there is none, Unavailable."""
    if not job.output_sha256:
        raise NotFound(
            f"{job} has no output yet: it is put together when the last row is scored.".capitalize(),
            remedy="Wait until the job has succeeded; where it failed or was cancelled, try it again.",
        )
    name = f"{job.model_version.model.name}-batch-{job.number}.{job.output_format}"
    response = stored_file(request, job.output_sha256, blob_store())
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


def stored_file(request: HttpRequest | Request, sha256: str, store: BlobStore) -> StreamingHttpResponse:
    """The blob of the store. Raises Unavailable where it is missing."""
    size = store.size(sha256)
    stack = ExitStack()
    stream = stack.enter_context(store.open(sha256))
    # Under ASGI Django would read the whole of a synchronous stream into memory first.
    blocks = _blocks_later(stack, stream) if hasattr(request, "scope") else _blocks(stack, stream)
    response = StreamingHttpResponse(blocks, content_type=_TYPE)
    response.headers["Content-Length"] = str(size)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _blocks(stack: ExitStack, stream: BinaryIO) -> Iterator[bytes]:
    with stack:
        while block := stream.read(_BLOCK):
            yield block


async def _blocks_later(stack: ExitStack, stream: BinaryIO) -> AsyncIterator[bytes]:
    with stack:
        while block := await asyncio.to_thread(stream.read, _BLOCK):
            yield block

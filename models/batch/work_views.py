"""What a scoring process asks: `/scoring/…`, with its job's own token. No part of the REST API of people."""

from __future__ import annotations

import struct
from typing import Any, ClassVar, cast

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from modelwright_runtime.scoring.limits import MAX_DEPTH, MAX_HEADER_BYTES, is_deep, is_heavy

from models.batch import working
from models.batch.downloads import stored_file
from models.batch.models import BatchJob
from models.batch.selectors import chunks_of, job_of_token
from models.batch.sources import OF_CONNECTION
from modelwright.core.api import PUBLIC
from modelwright.core.errors import NotFound, PlatformError, ValidationFailed
from modelwright.core.problems import problem_response
from modelwright.storage.blobs import Readable
from modelwright.storage.settings import blob_store, upload_store

# What a chunk puts around a value: the header, its lists, a row.
HEADER_LEVELS = 3
MAX_WORDS_BYTES = 64 * 1024


class NotAuthenticated(PlatformError):
    """No token of a live job was sent."""

    status = 401
    title = "Not authenticated"
    code = "not-authenticated"


@method_decorator(csrf_exempt, name="dispatch")
class WorkView(View):
    """One thing that a scoring process asks. The token alone says for which job, so none can ask about another."""

    permissions: ClassVar[dict[str, str]] = {}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Find the job of the token; render errors as problem documents."""
        if (request.method or "") not in self.permissions:
            return self.http_method_not_allowed(request)
        try:
            kwargs["job"] = _job_of(request)
            return super().dispatch(request, *args, **kwargs)
        except PlatformError as error:
            return problem_response(error)


def _job_of(request: HttpRequest) -> BatchJob:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    job = job_of_token(value.strip()) if scheme.lower() == "bearer" else None
    if job is None:
        raise NotAuthenticated(
            "The token is of no batch job that still runs: it dies when its job or attempt is over.",
            remedy="Only the process of a batch job asks here. People use /api/v1/batch-jobs/.",
        )
    return job


def _stream(request: HttpRequest) -> Readable:
    """The body, as whoever stores it reads it."""
    return cast(Readable, request)


def _words(request: HttpRequest) -> dict[str, Any]:
    try:
        body = orjson.loads(request.read(MAX_WORDS_BYTES))
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ValidationFailed("The body is no JSON object.", remedy="Use the runtime of this platform.")
    return body


def _header(body: Readable) -> Any:
    """The header that the body begins with, which is then read up to the part. Raises ValidationFailed."""
    try:
        (length,) = struct.unpack(">I", body.read(4))
        if length > MAX_HEADER_BYTES:
            raise ValueError(length)
        content = body.read(length)
        if is_heavy(content) or is_deep(header := orjson.loads(content), MAX_DEPTH + HEADER_LEVELS):
            raise ValueError(length)
    except (struct.error, ValueError):
        raise ValidationFailed("It is no chunk.", remedy="Use the runtime of this platform.") from None
    return header


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**62:
        raise ValidationFailed("A number is missing.", remedy="Use the runtime of this platform.")
    return value


class JobWorkView(WorkView):
    """What is to be done."""

    permissions = {"GET": PUBLIC}

    def get(self, request: HttpRequest, *, job: BatchJob) -> HttpResponseBase:
        """Answer the job and what is stored of it; it runs from now on."""
        return JsonResponse(working.begin(job))


class InputWorkView(WorkView):
    """The file to score."""

    permissions = {"GET": PUBLIC}

    def get(self, request: HttpRequest, *, job: BatchJob) -> HttpResponseBase:
        """Answer its bytes."""
        if job.source["kind"] in OF_CONNECTION:
            raise NotFound("The platform has no file of it.", remedy="Read what its data connection names.")
        return stored_file(request, job.source["sha256"], upload_store() if job.source.get("apart") else blob_store())


class TotalWorkView(WorkView):
    """How many rows there are."""

    permissions = {"POST": PUBLIC}

    def post(self, request: HttpRequest, *, job: BatchJob) -> HttpResponseBase:
        """Note it, with `sha256` and `size` of a file that the process fetched from a data connection."""
        said = _words(request)
        working.set_total(job, _number(said.get("rows")))
        if "sha256" in said:
            working.note_file(job, sha256=str(said["sha256"]), size=_number(said.get("size")))
        return HttpResponse(status=204)


class ChunkWorkView(WorkView):
    """A chunk: its predictions and its part of the output."""

    permissions = {"GET": PUBLIC, "POST": PUBLIC}

    def get(self, request: HttpRequest, number: int, *, job: BatchJob) -> HttpResponseBase:
        """Answer the part of a chunk that is stored."""
        chunk = chunks_of(job).filter(number=number).first()
        if chunk is None:
            raise NotFound(f"Chunk {number} is not stored.", remedy="Send it.")
        return stored_file(request, chunk.sha256, blob_store())

    def post(self, request: HttpRequest, number: int, *, job: BatchJob) -> HttpResponseBase:
        """Store it: four bytes with the header's length, the header in JSON, the part. Twice is harmless."""
        body = _stream(request)
        # What is not wanted is not parsed.
        is_new = working.is_next(job, number) and working.store_chunk(job, number, _header(body), body)
        return HttpResponse(status=201 if is_new else 200)


class OutputWorkView(WorkView):
    """The whole output."""

    permissions = {"POST": PUBLIC}

    def post(self, request: HttpRequest, *, job: BatchJob) -> HttpResponseBase:
        """Store it."""
        working.store_output(job, _stream(request))
        return HttpResponse(status=201)


class EndWorkView(WorkView):
    """The end."""

    permissions = {"POST": PUBLIC}

    def post(self, request: HttpRequest, *, job: BatchJob) -> HttpResponseBase:
        """Take `{"rows", "chunks"}` where all is done, `{"message", "remedy"}` where it cannot be."""
        said = _words(request)
        if "message" in said:
            working.give_up(job, message=str(said["message"]), remedy=str(said.get("remedy") or ""))
        else:
            working.finish(job, rows=_number(said.get("rows")), chunks=_number(said.get("chunks")))
        return HttpResponse(status=204)

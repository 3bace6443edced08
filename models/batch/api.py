"""REST: batch jobs and the files that they score."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.serializers import LogSerializer
from models.batch import selectors, services
from models.batch.downloads import output_of
from models.batch.models import BatchJob, Format
from models.batch.serializers import (
    BatchCancelSerializer,
    BatchChunkSerializer,
    BatchInputCreateSerializer,
    BatchInputSerializer,
    BatchJobCreateSerializer,
    BatchJobDetailSerializer,
    BatchJobSerializer,
)
from models.batch.sources import Wanted, format_of
from models.endpoints.selectors import endpoints
from models.predictions.serializers import PredictionSerializer
from models.registry.selectors import versions
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.compute.selectors import read_log
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed
from modelwright.core.parameters import offset_of
from modelwright.core.parsers import PlainJSONParser
from projects.selectors import get_project

FILTERS = [
    OpenApiParameter("state", str, description="Only jobs in this state."),
    OpenApiParameter("version", {"type": "string", "format": "uuid"}, description="Only jobs of this model version."),
]
OFFSET = OpenApiParameter("offset", {"type": "integer", "minimum": 0}, description="Byte to read from, 0 at first.")
MAX_OFFSET_DIGITS = 15
NAME = OpenApiParameter("name", str, description="The file's name, where the body is the file itself.")


class FileParser(BaseParser):
    """A body that is a file: it is read where it is stored."""

    media_type = "application/octet-stream"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The stream as it is."""
        return {"stream": stream}


class BatchJobListView(PlatformAPIView):
    """Batch jobs of every project that one may see."""

    permissions = {"GET": SIGNED_IN}

    @paged_schema("BatchJob", BatchJobSerializer, FILTERS)
    def get(self, request: Request) -> Response:
        """List batch jobs."""
        found = selectors.batch_jobs(current_user(request))
        return self.paged(selectors.narrowed(found, request.query_params), BatchJobSerializer)


class ProjectBatchJobListView(PlatformAPIView):
    """The batch jobs of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.RUN_START}

    @paged_schema("ProjectBatchJob", BatchJobSerializer, FILTERS)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the batch jobs."""
        user = current_user(request)
        found = selectors.batch_jobs(user, project=get_project(user, project_id))
        return self.paged(selectors.narrowed(found, request.query_params), BatchJobSerializer)

    @extend_schema(request=BatchJobCreateSerializer, responses={201: BatchJobDetailSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Score a file, table or query. A table or query takes the permission `project.edit`, too."""
        user = current_user(request)
        project = get_project(user, project_id, Permission.RUN_START)
        values = self.parse(BatchJobCreateSerializer)
        version = versions(user).filter(pk=values.pop("model_version")).first()
        if version is None:
            raise ValidationFailed(
                "There is no such model version.", remedy="Give the id of one of the project.", field="model_version"
            )
        wanted = services.BatchRequest(
            **{
                **values,
                "model_version": version,
                "endpoint": _endpoint(user, values["endpoint"]),
                "source": Wanted(**values["source"]),
            }
        )
        return _answer(services.start(project, wanted, acting_user=actor_of(request)), 201)


def _endpoint(user: User, endpoint_id: UUID | None) -> Any:
    if endpoint_id is None:
        return None
    found = endpoints(user).filter(pk=endpoint_id).first()
    if found is None:
        raise ValidationFailed(
            "There is no such endpoint.", remedy="Give the id of one of the project, or none.", field="endpoint"
        )
    return found


def _answer(job: BatchJob, status: int = 200) -> Response:
    return Response(BatchJobDetailSerializer(job).data, status=status)


class BatchInputListView(PlatformAPIView):
    """Files that are uploaded to be scored."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.RUN_START}
    parser_classes = (PlainJSONParser, FileParser)

    @paged_schema("BatchInput", BatchInputSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the files."""
        project = get_project(current_user(request), project_id)
        return self.paged(selectors.inputs_of(project), BatchInputSerializer)

    @extend_schema(
        parameters=[NAME],
        request={"application/json": BatchInputCreateSerializer, "application/octet-stream": OpenApiTypes.BINARY},
        responses={201: BatchInputSerializer},
    )
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Upload a file: as JSON, or as it is under `?name=`."""
        project = get_project(current_user(request), project_id, Permission.RUN_START)
        stream: BinaryIO
        if (request.content_type or "").partition(";")[0].strip() == FileParser.media_type:
            name, size = request.query_params.get("name", ""), _length_of(request)
            stream = cast(BinaryIO, cast(dict[str, Any], request.data).get("stream") or io.BytesIO())
        else:
            values = self.parse(BatchInputCreateSerializer)
            name, content = values["name"], _bytes(values["name"], values["content"])
            stream, size = io.BytesIO(content), len(content)
        made = services.add_input(project, name=name, stream=stream, size=size, acting_user=actor_of(request))
        return Response(BatchInputSerializer(made).data, status=201)


def _length_of(request: Request) -> int:
    """How long the body is said to be. Raises ValidationFailed where it is not said: the body is not read then."""
    said = str(request.META.get("CONTENT_LENGTH") or "")
    if not (said.isascii() and said.isdigit()) or len(said) > MAX_OFFSET_DIGITS:
        raise ValidationFailed(
            "The request does not say how long the file is.",
            remedy="Send it with the header Content-Length and not in pieces of unknown number (chunked).",
            field="Content-Length",
        )
    return int(said)


def _bytes(name: str, content: str) -> bytes:
    if format_of(name) == Format.CSV:
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise ValidationFailed(
            "The content is not in base64.", remedy="Write the file's bytes in base64.", field="content"
        ) from None


class BatchJobDetailView(PlatformAPIView):
    """A batch job."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=BatchJobDetailSerializer)
    def get(self, request: Request, batch_id: UUID) -> Response:
        """Answer one batch job, how far it is, and the first rows that could not be predicted."""
        return _answer(selectors.get_batch_job(current_user(request), batch_id))


class BatchChunkListView(PlatformAPIView):
    """What is stored of a batch job."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("BatchChunk", BatchChunkSerializer)
    def get(self, request: Request, batch_id: UUID) -> Response:
        """List the chunks."""
        job = selectors.get_batch_job(current_user(request), batch_id)
        return self.paged(selectors.chunks_of(job), BatchChunkSerializer)


class BatchPredictionListView(PlatformAPIView):
    """The predictions of a batch job."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("BatchPrediction", PredictionSerializer)
    def get(self, request: Request, batch_id: UUID) -> Response:
        """List what was predicted, the last rows first."""
        job = selectors.get_batch_job(current_user(request), batch_id)
        return self.paged(selectors.predictions_of(job), PredictionSerializer)


class BatchLogView(PlatformAPIView):
    """What the process of a batch job printed."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[OFFSET], responses=LogSerializer)
    def get(self, request: Request, batch_id: UUID) -> Response:
        """Answer at most 128 KiB of the newest attempt's log from a byte on."""
        job = selectors.get_batch_job(current_user(request), batch_id)
        text, offset, finished = read_log(job.workload, offset_of(request))
        return Response({"text": text, "offset": offset, "finished": finished})


class BatchOutputView(PlatformAPIView):
    """The output of a batch job."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, batch_id: UUID) -> StreamingHttpResponse:
        """Answer the file as an attachment: keys, row, prediction, probabilities, prediction id, error."""
        return output_of(request._request, selectors.get_batch_job(current_user(request), batch_id))


class BatchCancellationView(PlatformAPIView):
    """Ending a batch job before its time."""

    permissions = {"POST": Permission.RUN_CANCEL}

    @extend_schema(request=BatchCancelSerializer, responses={202: BatchJobDetailSerializer})
    @idempotent
    def post(self, request: Request, batch_id: UUID) -> Response:
        """End the job; what is stored stays. 409 where it is over."""
        job = selectors.get_batch_job(current_user(request), batch_id, Permission.RUN_CANCEL)
        return _answer(services.cancel(job, **self.parse(BatchCancelSerializer), acting_user=actor_of(request)), 202)


class BatchRetryView(PlatformAPIView):
    """Another attempt of a batch job."""

    permissions = {"POST": Permission.RUN_START}

    @extend_schema(request=None, responses={202: BatchJobDetailSerializer})
    @idempotent
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Go on with a job that failed or was cancelled, after what is stored. 409 where it is not over."""
        job = selectors.get_batch_job(current_user(request), batch_id, Permission.RUN_START)
        return _answer(services.retry(job, acting_user=actor_of(request)), 202)

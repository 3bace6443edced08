"""REST: jobs and runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import selectors, services
from jobs.downloads import attachment
from jobs.models import Job, Run
from jobs.serializers import (
    ArtifactListSerializer,
    CancelSerializer,
    HistorySerializer,
    JobChangeSerializer,
    JobCreateSerializer,
    JobRunSerializer,
    JobSerializer,
    LogSerializer,
    RunDetailSerializer,
    RunSerializer,
    ScriptRunSerializer,
    TrackedSerializer,
)
from jobs.tracking.artifacts import list_artifacts
from jobs.tracking.reader import metric_history, tracked_runs
from modelwright.accounts.actors import Actor, actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.compute.selectors import read_log
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed
from modelwright.core.etags import expected_revision, tagged
from modelwright.core.parameters import offset_of
from projects.selectors import get_project

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag that you read; 412 where it is no longer current."
)
RUN_FILTERS = [
    OpenApiParameter("state", str, description="Only runs in this state."),
    OpenApiParameter("job", str, description="Only runs of this job, by id or name."),
    OpenApiParameter("trigger", str, description="Only runs started so: by hand, schedule, after, api, push."),
]


def trigger_of(actor: Actor) -> str:
    """What a run is started by, when this actor asks for it."""
    return Run.Trigger.API if actor.kind == "token" else Run.Trigger.HAND


class JobListView(PlatformAPIView):
    """The jobs of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PROJECT_EDIT}

    @paged_schema("Job", JobSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the jobs; those of the manifest are as the newest commit has them."""
        project = get_project(current_user(request), project_id)
        services.follow_manifest(project)
        return self.paged(selectors.jobs_of(project), JobSerializer)

    @extend_schema(request=JobCreateSerializer, responses={201: JobSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Make a job."""
        project = get_project(current_user(request), project_id, Permission.PROJECT_EDIT)
        job = services.create_job(project, **self.parse(JobCreateSerializer), acting_user=actor_of(request))
        return tagged(JobSerializer(job).data, job.revision, status=201)


class JobDetailView(PlatformAPIView):
    """A job."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PATCH": Permission.PROJECT_EDIT, "DELETE": Permission.PROJECT_EDIT}

    @extend_schema(responses=JobSerializer)
    def get(self, request: Request, job_id: UUID) -> Response:
        """Answer one job, with its ETag."""
        job = selectors.get_job(current_user(request), job_id)
        return tagged(JobSerializer(job).data, job.revision)

    @extend_schema(parameters=[IF_MATCH], request=JobChangeSerializer, responses=JobSerializer)
    def patch(self, request: Request, job_id: UUID) -> Response:
        """Change a job. What is changed here no longer follows the manifest."""
        job = selectors.get_job(current_user(request), job_id, Permission.PROJECT_EDIT)
        changed = services.change_job(
            job,
            **self.parse(JobChangeSerializer),
            expected_revision=expected_revision(request),
            acting_user=actor_of(request),
        )
        return tagged(JobSerializer(changed).data, changed.revision)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Delete a job. Its runs stay."""
        job = selectors.get_job(current_user(request), job_id, Permission.PROJECT_EDIT)
        services.delete_job(job, acting_user=actor_of(request))
        return Response(status=204)


class JobRunListView(PlatformAPIView):
    """The runs of a job."""

    permissions = {"POST": Permission.RUN_START}

    @extend_schema(request=JobRunSerializer, responses={201: RunDetailSerializer})
    @idempotent
    def post(self, request: Request, job_id: UUID) -> Response:
        """Start a run of the job."""
        job = selectors.get_job(current_user(request), job_id, Permission.RUN_START)
        services.follow_manifest(job.project)
        job.refresh_from_db()
        return start(request, job.project_id, self.parse(JobRunSerializer), job=job)


class RunListView(PlatformAPIView):
    """The runs of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.RUN_START}

    @paged_schema("Run", RunSerializer, RUN_FILTERS)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the runs."""
        project = get_project(current_user(request), project_id)
        return self.paged(selectors.runs_of(project, request.query_params), RunSerializer)

    @extend_schema(request=ScriptRunSerializer, responses={201: RunDetailSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Start a run of a script that no job names."""
        return start(request, project_id, self.parse(ScriptRunSerializer))


def start(request: Request, project_id: UUID, body: dict[str, Any], job: Job | None = None) -> Response:
    """Start a run and answer it."""
    project = get_project(current_user(request), project_id, Permission.RUN_START)
    actor = actor_of(request)
    run = services.start_run(
        project, services.RunRequest(job=job, trigger=trigger_of(actor), **body), acting_user=actor
    )
    return Response(RunDetailSerializer(run).data, status=201)


class RunDetailView(PlatformAPIView):
    """A run."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=RunDetailSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Answer one run."""
        return Response(RunDetailSerializer(selectors.get_run(current_user(request), run_id)).data)


class RunCancellationView(PlatformAPIView):
    """Ending a run before its time."""

    permissions = {"POST": Permission.RUN_CANCEL}

    @extend_schema(request=CancelSerializer, responses={202: RunDetailSerializer})
    @idempotent
    def post(self, request: Request, run_id: UUID) -> Response:
        """Ask the run to end. 409 where it has ended."""
        run = selectors.get_run(current_user(request), run_id, Permission.RUN_CANCEL)
        run = services.request_cancel(run, **self.parse(CancelSerializer), acting_user=actor_of(request))
        return Response(RunDetailSerializer(run).data, status=202)


class RunLogView(PlatformAPIView):
    """What a run printed."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(
        parameters=[
            OpenApiParameter("offset", {"type": "integer", "minimum": 0}, description="Byte to read from, 0 at first."),
            OpenApiParameter(
                "attempt", {"type": "integer", "minimum": 1, "maximum": 100}, description="Which one; the newest."
            ),
        ],
        responses=LogSerializer,
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """Answer at most 128 KiB of the log from a byte on."""
        run = selectors.get_run(current_user(request), run_id)
        workload = selectors.attempt_workload(run, _attempt(request))
        text, offset, finished = read_log(workload, offset_of(request))
        return Response({"text": text, "offset": offset, "finished": finished})


def _attempt(request: Request) -> int | None:
    raw = request.query_params.get("attempt")
    if raw is None:
        return None
    if not (raw.isascii() and raw.isdigit()) or not 1 <= len(raw) <= 3:
        raise ValidationFailed(f"`attempt` is {raw[:40]!r}.", remedy="Give an attempt's number.", field="attempt")
    return int(raw)


class RunMetricsView(PlatformAPIView):
    """What a run logged with MLflow."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=TrackedSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Answer parameters, latest metrics, tags and data sets of each MLflow run that the run made."""
        run = selectors.get_run(current_user(request), run_id)
        found = tracked_runs(run.project.mlflow_workspace, run.pk)
        return Response(TrackedSerializer({"results": [asdict(one) for one in found]}).data)


class RunMetricHistoryView(PlatformAPIView):
    """A metric over the steps of a run."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(
        parameters=[OpenApiParameter("key", str, required=True, description="Name of the metric.")],
        responses=HistorySerializer,
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """Answer the metric's values by step, thinned to at most 1,000 points."""
        run = selectors.get_run(current_user(request), run_id)
        key = request.query_params.get("key", "")
        if not key or "\0" in key:
            raise ValidationFailed("`key` is missing.", remedy="Name a metric of the run.", field="key")
        histories = metric_history(run.project.mlflow_workspace, run.pk, key)
        series = [
            {"mlflow_id": one, "attempt": found.attempt, "total": found.total, "points": found.points}
            for one, found in histories
        ]
        return Response({"key": key, "series": series})


class RunArtifactListView(PlatformAPIView):
    """The files that a run logged."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ArtifactListSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """List the files, at most 2,000."""
        run = selectors.get_run(current_user(request), run_id)
        found = list_artifacts(run.project.mlflow_workspace, run.pk)
        return Response({"results": [{"path": one.path, "size": one.size} for one in found]})


class RunArtifactView(PlatformAPIView):
    """One file that a run logged."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(
        parameters=[OpenApiParameter("path", str, required=True, description="A path of the list of artifacts.")],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, run_id: UUID) -> StreamingHttpResponse:
        """Answer the file as an attachment."""
        run = selectors.get_run(current_user(request), run_id)
        return attachment(request, run, request.query_params.get("path", ""))

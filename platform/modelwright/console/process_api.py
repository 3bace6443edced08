"""REST: every process of the installation, for administrators and auditors."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.compute import selectors
from modelwright.compute.models import Workload
from modelwright.compute.states import WorkloadState
from modelwright.console import process_records, processes
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.pagination import page


class ProcessGpuSerializer(serializers.Serializer[Any]):
    """A GPU of a host."""

    index = serializers.IntegerField()
    name = serializers.CharField(allow_blank=True)


class ProcessFileSerializer(serializers.Serializer[Any]):
    """A file that a process read or wrote."""

    path = serializers.CharField()
    sha256 = serializers.CharField(allow_blank=True)
    size = serializers.IntegerField(allow_null=True, help_text="Bytes.")


class WorkloadSerializer(serializers.Serializer[Any]):
    """One process: who, when, where, what it ran, what it was given, how it ended. Secrets are never in it."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Workload.Kind.choices)
    name = serializers.CharField()
    state = serializers.ChoiceField(WorkloadState.choices)
    created_by = serializers.CharField(help_text="A person, or a part of the platform.")
    workspace_id = serializers.UUIDField(allow_null=True)
    workspace = serializers.CharField(allow_blank=True)
    project_id = serializers.UUIDField(allow_null=True)
    project = serializers.CharField(allow_blank=True)
    queued_at = serializers.DateTimeField()
    placed_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    cancel_requested_by = serializers.CharField(allow_blank=True)
    host = serializers.CharField(allow_blank=True)
    backend = serializers.CharField(allow_blank=True, help_text="What the host runs workloads as.")
    fence = serializers.IntegerField(allow_null=True, help_text="The number of its placement.")
    command = serializers.ListField(child=serializers.CharField(allow_blank=True))
    variables = serializers.DictField(child=serializers.CharField(allow_blank=True), help_text="Plain ones only.")
    directory = serializers.CharField(allow_blank=True)
    code_archive = serializers.CharField(allow_blank=True, help_text="SHA-256 of the archive of its code.")
    models = serializers.ListField(child=serializers.CharField(), help_text="Digests of model files it was given.")
    environment = serializers.CharField(allow_blank=True, help_text="Digest of the lock.")
    python_version = serializers.CharField(allow_blank=True)
    image = serializers.CharField(allow_blank=True)
    cpu = serializers.FloatField()
    memory_bytes = serializers.IntegerField()
    gpus = serializers.IntegerField()
    gpu_devices = ProcessGpuSerializer(many=True)
    timeout_seconds = serializers.IntegerField(allow_null=True)
    peak_memory_bytes = serializers.IntegerField(allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    signal = serializers.IntegerField(allow_null=True)
    detail = serializers.CharField(allow_blank=True, help_text="Why it ended as it did.")
    waiting_reason = serializers.CharField(allow_blank=True)
    run_id = serializers.UUIDField(allow_null=True)
    run = serializers.CharField(allow_blank=True)
    commit = serializers.CharField(allow_blank=True)
    script = serializers.CharField(allow_blank=True)
    model_version_id = serializers.UUIDField(allow_null=True)
    model_version = serializers.CharField(allow_blank=True)
    endpoint_id = serializers.UUIDField(allow_null=True)
    endpoint = serializers.CharField(allow_blank=True)
    log_sha256 = serializers.CharField(allow_blank=True)
    results_sha256 = serializers.CharField(allow_blank=True)


class ProcessDataReadSerializer(serializers.Serializer[Any]):
    """A data connection that was taken in a session, or what was read of it."""

    at = serializers.DateTimeField()
    connection = serializers.CharField()
    kind = serializers.CharField()
    what = serializers.CharField(allow_blank=True, help_text="A statement, table or file.")


class WorkloadDetailSerializer(WorkloadSerializer):
    """The same, with what it read and wrote as far as that was observed."""

    read = ProcessFileSerializer(many=True)
    written = ProcessFileSerializer(many=True)
    data_reads = ProcessDataReadSerializer(many=True, help_text="Of a session, as its own process tells it.")


_ID = {"type": "string", "format": "uuid"}
_FILTERS = [
    OpenApiParameter("q", str, description="Words in the name or the command."),
    OpenApiParameter("person", str, description="A part of the name of who started it."),
    OpenApiParameter("kind", str, enum=list(Workload.Kind.values), description="What it is for."),
    OpenApiParameter("state", str, enum=["ended-badly", *WorkloadState.values], description="How it is."),
    OpenApiParameter("project", _ID, description="Only of this project."),
    OpenApiParameter("workspace", _ID, description="Only of this workspace."),
    OpenApiParameter("host", str, description="The name of a host."),
    OpenApiParameter("environment", str, description="A part of the digest of its environment's lock."),
    OpenApiParameter("since", str, description="A date or ISO 8601 time; queued from then on."),
    OpenApiParameter("until", str, description="A date or ISO 8601 time; queued before then."),
]


@extend_schema(tags=["compute"])
class WorkloadListView(PlatformAPIView):
    """Processes."""

    permissions = {"GET": Permission.AUDIT_READ}

    @paged_schema("Workload", WorkloadSerializer, _FILTERS)
    def get(self, request: Request) -> Response:
        """List every process that the platform started for somebody, newest first."""
        rows, links = page(request, processes.search(current_user(request), request.query_params))
        records = process_records.records(rows)
        return Response({"results": WorkloadSerializer(records, many=True).data, **links})


@extend_schema(tags=["compute"])
class WorkloadDetailView(PlatformAPIView):
    """A process."""

    permissions = {"GET": Permission.AUDIT_READ}

    @extend_schema(responses=WorkloadDetailSerializer)
    def get(self, request: Request, workload_id: UUID) -> Response:
        """Answer one process, with what it read and wrote."""
        workload = selectors.workload(current_user(request), workload_id)
        found = process_records.belongings([workload])
        told = {
            **process_records.record(workload, found),
            "data_reads": process_records.data_reads(workload, found),
        }
        return Response(WorkloadDetailSerializer(told).data)

"""REST: which workload of any project was given which secrets, for administrators and auditors."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from projects.variables.api import READ_FILTERS, id_of
from projects.variables.selectors import all_secret_reads
from projects.variables.serializers import SecretReadSerializer

_PROJECT = OpenApiParameter("project", {"type": "string", "format": "uuid"}, description="Only of this project.")


@extend_schema(tags=["audit"])
class SecretReadListView(PlatformAPIView):
    """The record of secrets."""

    permissions = {"GET": Permission.AUDIT_READ}

    @paged_schema("AnySecretRead", SecretReadSerializer, [*READ_FILTERS, _PROJECT])
    def get(self, request: Request) -> Response:
        """List the workloads of all projects that were given secrets, newest first."""
        asked = request.query_params
        reads = all_secret_reads(
            current_user(request),
            name=asked.get("name", ""),
            person=asked.get("person", ""),
            project_id=id_of(asked.get("project", ""), "project"),
            workload_id=id_of(asked.get("workload", ""), "workload"),
        )
        return self.paged(reads, SecretReadSerializer)

"""REST: variables of a project, and who was given which secret."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed
from modelwright.core.etags import expected_revision, tagged
from projects.selectors import get_project
from projects.variables import selectors, services
from projects.variables.serializers import (
    SecretReadSerializer,
    VariableChangeSerializer,
    VariableSerializer,
    VariableSetSerializer,
)

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag that you read; 412 where it is no longer current."
)
_ID = {"type": "string", "format": "uuid"}
READ_FILTERS = [
    OpenApiParameter("name", str, description="Only of the secret of this name."),
    OpenApiParameter("person", str, description="Only for this person."),
    OpenApiParameter("workload", _ID, description="Only of this workload."),
]


class VariableListView(PlatformAPIView):
    """The variables of a project."""

    permissions = {"GET": Permission.VARIABLE_VIEW}

    @paged_schema("Variable", VariableSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the variables; the value of a secret one is null."""
        project = get_project(current_user(request), project_id, Permission.VARIABLE_VIEW)
        return self.paged(selectors.variables(project), VariableSerializer)


class VariableDetailView(PlatformAPIView):
    """One variable of a project."""

    permissions = {
        "GET": Permission.VARIABLE_VIEW,
        "PUT": Permission.VARIABLE_EDIT,
        "PATCH": Permission.VARIABLE_EDIT,
        "DELETE": Permission.VARIABLE_EDIT,
    }

    @extend_schema(responses=VariableSerializer)
    def get(self, request: Request, project_id: UUID, name: str) -> Response:
        """Answer one variable with its ETag; the value of a secret one is null."""
        project = get_project(current_user(request), project_id, Permission.VARIABLE_VIEW)
        variable = selectors.get_variable(project, name)
        return tagged(VariableSerializer(variable).data, variable.revision)

    @extend_schema(request=VariableSetSerializer, responses=VariableSerializer)
    def put(self, request: Request, project_id: UUID, name: str) -> Response:
        """Set a variable that the project's workloads are given, in place of the one of that name."""
        project = get_project(current_user(request), project_id, Permission.VARIABLE_EDIT)
        body = self.parse(VariableSetSerializer)
        variable = services.set_variable(project, name=name, **body, acting_user=actor_of(request))
        return tagged(VariableSerializer(variable).data, variable.revision)

    @extend_schema(parameters=[IF_MATCH], request=VariableChangeSerializer, responses=VariableSerializer)
    def patch(self, request: Request, project_id: UUID, name: str) -> Response:
        """Change a variable; a value that is left out stays."""
        project = get_project(current_user(request), project_id, Permission.VARIABLE_EDIT)
        changed = services.change_variable(
            selectors.get_variable(project, name),
            expected_revision=expected_revision(request),
            acting_user=actor_of(request),
            **self.parse(VariableChangeSerializer),
        )
        return tagged(VariableSerializer(changed).data, changed.revision)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, project_id: UUID, name: str) -> Response:
        """Delete a variable. The record of who was given it stays."""
        project = get_project(current_user(request), project_id, Permission.VARIABLE_EDIT)
        services.delete_variable(project, name=name, acting_user=actor_of(request))
        return Response(status=204)


class SecretReadListView(PlatformAPIView):
    """Who was given secrets of a project."""

    permissions = {"GET": Permission.VARIABLE_VIEW}

    @paged_schema("SecretRead", SecretReadSerializer, READ_FILTERS)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the workloads that were given secrets, newest first."""
        project = get_project(current_user(request), project_id, Permission.VARIABLE_VIEW)
        asked = request.query_params
        reads = selectors.secret_reads(
            project,
            name=asked.get("name", ""),
            person=asked.get("person", ""),
            workload_id=id_of(asked.get("workload", ""), "workload"),
        )
        return self.paged(reads, SecretReadSerializer)


def id_of(text: str, field: str) -> UUID | None:
    """The id that a parameter holds, None for none. Raises ValidationFailed."""
    try:
        return UUID(text) if text else None
    except ValueError:
        raise ValidationFailed(f"`{field}` is {text[:40]!r}.", remedy="Give an id.", field=field) from None

"""REST: workspaces, their members and data connections."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import person_by_name
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema
from modelwright.core.etags import expected_revision, tagged
from workspaces import connection_services, selectors, services
from workspaces.serializers import (
    DataConnectionChangeSerializer,
    DataConnectionCreateSerializer,
    DataConnectionSerializer,
    MemberSerializer,
    MemberSetSerializer,
    WorkspaceChangeSerializer,
    WorkspaceCreateSerializer,
    WorkspaceSerializer,
)

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag that you read; 412 where it is no longer current."
)


class WorkspaceListView(PlatformAPIView):
    """Workspaces."""

    permissions = {"GET": SIGNED_IN, "POST": Permission.WORKSPACE_CREATE}

    @paged_schema("Workspace", WorkspaceSerializer)
    def get(self, request: Request) -> Response:
        """List the workspaces that the caller is a member of; all for site administrators and auditors."""
        return self.paged(selectors.visible_workspaces(current_user(request)), WorkspaceSerializer)

    @extend_schema(request=WorkspaceCreateSerializer, responses={201: WorkspaceSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Make a workspace and become its first administrator."""
        workspace = services.create_workspace(**self.parse(WorkspaceCreateSerializer), acting_user=actor_of(request))
        return tagged(WorkspaceSerializer(workspace).data, workspace.revision, status=201)


class WorkspaceDetailView(PlatformAPIView):
    """A workspace."""

    permissions = {"GET": Permission.WORKSPACE_VIEW, "PATCH": Permission.WORKSPACE_MANAGE}

    @extend_schema(responses=WorkspaceSerializer)
    def get(self, request: Request, workspace_id: UUID) -> Response:
        """Answer one workspace, with its ETag."""
        workspace = selectors.get_workspace(current_user(request), workspace_id)
        return tagged(WorkspaceSerializer(workspace).data, workspace.revision)

    @extend_schema(parameters=[IF_MATCH], request=WorkspaceChangeSerializer, responses=WorkspaceSerializer)
    def patch(self, request: Request, workspace_id: UUID) -> Response:
        """Change the description or, as a site administrator, the limits."""
        workspace = selectors.get_workspace(current_user(request), workspace_id, Permission.WORKSPACE_MANAGE)
        changed = services.change_workspace(
            workspace,
            expected_revision=expected_revision(request),
            acting_user=actor_of(request),
            **self.parse(WorkspaceChangeSerializer),
        )
        return tagged(WorkspaceSerializer(changed).data, changed.revision)


class MemberListView(PlatformAPIView):
    """The members of a workspace."""

    permissions = {"GET": Permission.WORKSPACE_VIEW}

    @paged_schema("WorkspaceMember", MemberSerializer)
    def get(self, request: Request, workspace_id: UUID) -> Response:
        """List the members with their roles."""
        workspace = selectors.get_workspace(current_user(request), workspace_id)
        return self.paged(selectors.members(workspace), MemberSerializer)


class MemberDetailView(PlatformAPIView):
    """One member of a workspace."""

    permissions = {"PUT": Permission.WORKSPACE_MANAGE, "DELETE": Permission.WORKSPACE_MANAGE}

    @extend_schema(request=MemberSetSerializer, responses=MemberSerializer)
    def put(self, request: Request, workspace_id: UUID, username: str) -> Response:
        """Give a person a role, in place of the one they had."""
        workspace = selectors.get_workspace(current_user(request), workspace_id, Permission.WORKSPACE_MANAGE)
        body = self.parse(MemberSetSerializer)
        membership = services.set_member(workspace, person_by_name(username), **body, acting_user=actor_of(request))
        return Response(MemberSerializer(membership).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, workspace_id: UUID, username: str) -> Response:
        """Take a person out of the workspace and of every project in it."""
        workspace = selectors.get_workspace(current_user(request), workspace_id, Permission.WORKSPACE_MANAGE)
        member = selectors.get_member(workspace, username).user
        services.remove_member(workspace, member, acting_user=actor_of(request))
        return Response(status=204)


class DataConnectionListView(PlatformAPIView):
    """The data connections of a workspace."""

    permissions = {"GET": Permission.WORKSPACE_VIEW, "POST": Permission.WORKSPACE_MANAGE}

    @paged_schema("DataConnection", DataConnectionSerializer)
    def get(self, request: Request, workspace_id: UUID) -> Response:
        """List the data connections without their secrets."""
        workspace = selectors.get_workspace(current_user(request), workspace_id)
        return self.paged(selectors.data_connections(workspace), DataConnectionSerializer)

    @extend_schema(request=DataConnectionCreateSerializer, responses={201: DataConnectionSerializer})
    @idempotent
    def post(self, request: Request, workspace_id: UUID) -> Response:
        """Add a data connection. One of the kind `directory` takes a site administrator."""
        workspace = selectors.get_workspace(current_user(request), workspace_id, Permission.WORKSPACE_MANAGE)
        connection = connection_services.create_data_connection(
            workspace, **self.parse(DataConnectionCreateSerializer), acting_user=actor_of(request)
        )
        return tagged(DataConnectionSerializer(connection).data, connection.revision, status=201)


class DataConnectionDetailView(PlatformAPIView):
    """One data connection of a workspace."""

    permissions = {
        "GET": Permission.WORKSPACE_VIEW,
        "PATCH": Permission.WORKSPACE_MANAGE,
        "DELETE": Permission.WORKSPACE_MANAGE,
    }

    @extend_schema(responses=DataConnectionSerializer)
    def get(self, request: Request, workspace_id: UUID, connection_id: UUID) -> Response:
        """Answer one data connection without its secret, with its ETag."""
        workspace = selectors.get_workspace(current_user(request), workspace_id)
        connection = selectors.get_data_connection(workspace, connection_id)
        return tagged(DataConnectionSerializer(connection).data, connection.revision)

    @extend_schema(parameters=[IF_MATCH], request=DataConnectionChangeSerializer, responses=DataConnectionSerializer)
    def patch(self, request: Request, workspace_id: UUID, connection_id: UUID) -> Response:
        """Change description, configuration (as a whole) or secret."""
        workspace = selectors.get_workspace(current_user(request), workspace_id, Permission.WORKSPACE_MANAGE)
        changed = connection_services.change_data_connection(
            selectors.get_data_connection(workspace, connection_id),
            expected_revision=expected_revision(request),
            acting_user=actor_of(request),
            **self.parse(DataConnectionChangeSerializer),
        )
        return tagged(DataConnectionSerializer(changed).data, changed.revision)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, workspace_id: UUID, connection_id: UUID) -> Response:
        """Remove a data connection and its secret."""
        workspace = selectors.get_workspace(current_user(request), workspace_id, Permission.WORKSPACE_MANAGE)
        connection = selectors.get_data_connection(workspace, connection_id)
        connection_services.delete_data_connection(connection, acting_user=actor_of(request))
        return Response(status=204)

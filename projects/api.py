"""REST: projects, their members, and the catalogue of prototypes."""

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
from projects import selectors, services
from projects.prototypes import list_prototypes
from projects.serializers import (
    MemberSerializer,
    MemberSetSerializer,
    ProjectChangeSerializer,
    ProjectCreateSerializer,
    ProjectSerializer,
    PrototypePageSerializer,
    PrototypeSerializer,
)
from workspaces.selectors import get_workspace

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag that you read; 412 where it is no longer current."
)


class WorkspaceProjectListView(PlatformAPIView):
    """The projects of a workspace."""

    permissions = {"GET": Permission.WORKSPACE_VIEW, "POST": Permission.PROJECT_CREATE}

    @paged_schema("WorkspaceProject", ProjectSerializer)
    def get(self, request: Request, workspace_id: UUID) -> Response:
        """List the projects of the workspace that the caller may see."""
        user = current_user(request)
        workspace = get_workspace(user, workspace_id)
        return self.paged(selectors.visible_projects(user, workspace), ProjectSerializer)

    @extend_schema(request=ProjectCreateSerializer, responses={201: ProjectSerializer})
    @idempotent
    def post(self, request: Request, workspace_id: UUID) -> Response:
        """Make a project, from a prototype if one is named, and become its administrator."""
        workspace = get_workspace(current_user(request), workspace_id, Permission.PROJECT_CREATE)
        body = self.parse(ProjectCreateSerializer)
        project = services.create_project(workspace, **body, acting_user=actor_of(request))
        return tagged(ProjectSerializer(project).data, project.revision, status=201)


class ProjectListView(PlatformAPIView):
    """Projects of every workspace."""

    permissions = {"GET": SIGNED_IN}

    @paged_schema("Project", ProjectSerializer)
    def get(self, request: Request) -> Response:
        """List every project that the caller may see."""
        return self.paged(selectors.visible_projects(current_user(request)), ProjectSerializer)


class ProjectDetailView(PlatformAPIView):
    """A project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PATCH": Permission.PROJECT_MANAGE}

    @extend_schema(responses=ProjectSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Answer one project, with its ETag."""
        project = selectors.get_project(current_user(request), project_id)
        return tagged(ProjectSerializer(project).data, project.revision)

    @extend_schema(parameters=[IF_MATCH], request=ProjectChangeSerializer, responses=ProjectSerializer)
    def patch(self, request: Request, project_id: UUID) -> Response:
        """Change the description."""
        project = selectors.get_project(current_user(request), project_id, Permission.PROJECT_MANAGE)
        changed = services.change_project(
            project,
            **self.parse(ProjectChangeSerializer),
            expected_revision=expected_revision(request),
            acting_user=actor_of(request),
        )
        return tagged(ProjectSerializer(changed).data, changed.revision)


class MemberListView(PlatformAPIView):
    """The members of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("ProjectMember", MemberSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List those with a role of their own; administrators of the workspace are administrators here too."""
        project = selectors.get_project(current_user(request), project_id)
        return self.paged(selectors.members(project), MemberSerializer)


class MemberDetailView(PlatformAPIView):
    """One member of a project."""

    permissions = {"PUT": Permission.PROJECT_MANAGE, "DELETE": Permission.PROJECT_MANAGE}

    @extend_schema(request=MemberSetSerializer, responses=MemberSerializer)
    def put(self, request: Request, project_id: UUID, username: str) -> Response:
        """Give a member of the workspace a role, in place of the one they had."""
        project = selectors.get_project(current_user(request), project_id, Permission.PROJECT_MANAGE)
        body = self.parse(MemberSetSerializer)
        membership = services.set_member(project, person_by_name(username), **body, acting_user=actor_of(request))
        return Response(MemberSerializer(membership).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, project_id: UUID, username: str) -> Response:
        """Take a person out of the project."""
        project = selectors.get_project(current_user(request), project_id, Permission.PROJECT_MANAGE)
        member = selectors.get_member(project, username).user
        services.remove_member(project, member, acting_user=actor_of(request))
        return Response(status=204)


class PrototypeListView(PlatformAPIView):
    """The catalogue of prototypes."""

    permissions = {"GET": SIGNED_IN}

    @extend_schema(responses=PrototypePageSerializer)
    def get(self, request: Request) -> Response:
        """List every prototype with its report on algorithm, fit and limits."""
        results = [PrototypeSerializer(prototype).data for prototype in list_prototypes()]
        return Response({"results": results, "next": None, "previous": None})

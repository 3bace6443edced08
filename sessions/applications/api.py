"""REST: applications."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from projects.selectors import get_project
from sessions.applications import selectors, services
from sessions.applications.models import Application
from sessions.applications.serializers import (
    ApplicationRequestSerializer,
    ApplicationSerializer,
    ViewersSerializer,
    VisibilitySerializer,
)
from sessions.applications.services import ApplicationRequest


class ProjectApplicationListView(PlatformAPIView):
    """The applications of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PROJECT_EDIT}

    @paged_schema("Application", ApplicationSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the applications."""
        project = get_project(current_user(request), project_id)
        return self.paged(selectors.applications_of(project), ApplicationSerializer)

    @extend_schema(request=ApplicationRequestSerializer, responses={201: ApplicationSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Make an application, which starts at once."""
        project = get_project(current_user(request), project_id, Permission.PROJECT_EDIT)
        asked = ApplicationRequest(**self.parse(ApplicationRequestSerializer))
        made = services.create_application(project, asked, acting_user=actor_of(request))
        return Response(ApplicationSerializer(made).data, status=201)


class ApplicationDetailView(PlatformAPIView):
    """An application."""

    permissions = {"GET": Permission.PROJECT_VIEW, "DELETE": Permission.PROJECT_EDIT}

    @extend_schema(responses=ApplicationSerializer)
    def get(self, request: Request, application_id: UUID) -> Response:
        """Answer one application."""
        return Response(ApplicationSerializer(_of(request, application_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, application_id: UUID) -> Response:
        """End it and take it off the list."""
        application = _of(request, application_id, Permission.PROJECT_EDIT)
        services.delete_application(application, acting_user=actor_of(request))
        return Response(status=204)


class ApplicationStartView(PlatformAPIView):
    """Starting."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=None, responses={202: ApplicationSerializer})
    @idempotent
    def post(self, request: Request, application_id: UUID) -> Response:
        """Start it from the newest commit of its branch; one that runs is started anew."""
        application = _of(request, application_id, Permission.PROJECT_EDIT)
        application = services.start_application(application, acting_user=actor_of(request))
        return Response(ApplicationSerializer(application).data, status=202)


class ApplicationStopView(PlatformAPIView):
    """Stopping."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=None, responses={202: ApplicationSerializer})
    @idempotent
    def post(self, request: Request, application_id: UUID) -> Response:
        """Have it end and stay so. 409 where it is stopped already."""
        application = _of(request, application_id, Permission.PROJECT_EDIT)
        application = services.stop_application(application, acting_user=actor_of(request))
        return Response(ApplicationSerializer(application).data, status=202)


class ApplicationVisibilityView(PlatformAPIView):
    """Who gets in."""

    permissions = {"PUT": Permission.WORKSPACE_MANAGE}

    @extend_schema(request=VisibilitySerializer, responses=ApplicationSerializer)
    def put(self, request: Request, application_id: UUID) -> Response:
        """Let in everybody who knows the address, or people of the project alone.

        For administrators of the workspace.
        """
        application = _of(request, application_id, Permission.WORKSPACE_MANAGE)
        asked = self.parse(VisibilitySerializer)
        application = services.set_public(application, **asked, acting_user=actor_of(request))
        return Response(ApplicationSerializer(application).data)


class ApplicationViewersView(PlatformAPIView):
    """Whether viewers get in."""

    permissions = {"PUT": Permission.PROJECT_MANAGE}

    @extend_schema(request=ViewersSerializer, responses=ApplicationSerializer)
    def put(self, request: Request, application_id: UUID) -> Response:
        """Let in viewers of the project as well, or only who may ask its endpoints.

        For administrators of the project.
        """
        application = _of(request, application_id, Permission.PROJECT_MANAGE)
        asked = self.parse(ViewersSerializer)
        application = services.let_viewers_in(application, **asked, acting_user=actor_of(request))
        return Response(ApplicationSerializer(application).data)


def _of(request: Request, application_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Application:
    return selectors.get_application(current_user(request), application_id, permission)

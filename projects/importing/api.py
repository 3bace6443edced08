"""REST: imports."""

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
from projects.importing import selectors, services
from projects.importing.serializers import ImportCreateSerializer, ImportSerializer
from projects.selectors import get_project


class ImportListView(PlatformAPIView):
    """Imports of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PROJECT_EDIT}

    @paged_schema("SourceImport", ImportSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List them, newest first."""
        return self.paged(selectors.imports_of(get_project(current_user(request), project_id)), ImportSerializer)

    @extend_schema(request=ImportCreateSerializer, responses={201: ImportSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Have the files and the history of a repository elsewhere become the project's newest commit."""
        project = get_project(current_user(request), project_id, Permission.PROJECT_EDIT)
        one = services.request_import(project, **self.parse(ImportCreateSerializer), acting_user=actor_of(request))
        return Response(ImportSerializer(one).data, status=201)


class ImportDetailView(PlatformAPIView):
    """One import."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ImportSerializer)
    def get(self, request: Request, import_id: UUID) -> Response:
        """Answer it: how far it is, or what came of it."""
        return Response(ImportSerializer(selectors.get_import(current_user(request), import_id)).data)


class ImportCancellationView(PlatformAPIView):
    """Ending an import before its time."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=None, responses={202: ImportSerializer})
    @idempotent
    def post(self, request: Request, import_id: UUID) -> Response:
        """End it; nothing of it stays. 409 where it is over."""
        one = selectors.get_import(current_user(request), import_id, Permission.PROJECT_EDIT)
        return Response(ImportSerializer(services.cancel(one, acting_user=actor_of(request))).data, status=202)

"""REST: branches and tags, archives, comparisons, other names and earlier versions of files."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from projects import selectors, source
from projects.files import services
from projects.files.answers import archive_answer
from projects.files.serializers import (
    ReferencesSerializer,
    RenameSerializer,
    RestorationSerializer,
    VersionComparisonSerializer,
)
from projects.models import Project
from projects.serializers import CommitSerializer
from projects.source.paths import check_folder
from projects.source_api import COMMIT, PATH, SourceView


class ReferencesView(SourceView):
    """Branches and tags."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ReferencesSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List them, each newest first; at most 500 together."""
        found = source.list_references(self.project(request, project_id))
        branches = [one for one in found if one.kind == "branch"]
        tags = [one for one in found if one.kind == "tag"]
        return Response(ReferencesSerializer({"branches": branches, "tags": tags}).data)


class ArchiveView(SourceView):
    """All files of a commit."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[COMMIT], responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, project_id: UUID) -> HttpResponseBase:
        """Answer them as a ZIP, to be saved. Links are small files with what they point to."""
        project = self.project(request, project_id)
        commit = source.resolve(project, self.parameter(request, "commit"))
        return archive_answer(request._request, project, commit)


class ComparisonView(SourceView):
    """What changed between two commits."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(
        parameters=[
            OpenApiParameter("base", str, required=True, description="Id of a commit, or a branch or tag."),
            OpenApiParameter("target", str, description="The same; the newest commit by default."),
            PATH,
        ],
        responses=VersionComparisonSerializer,
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        """Answer what changed from `base` to `target`, of the file or folder at `path` where it is given."""
        project = self.project(request, project_id)
        base = source.resolve(project, self.parameter(request, "base"), field="base")
        target = source.resolve(project, self.parameter(request, "target"), field="target")
        path = check_folder(self.parameter(request, "path"))
        return Response(VersionComparisonSerializer(source.compare(project, base, target, path)).data)


class RenameView(SourceView):
    """A file under another path."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=RenameSerializer, responses={201: CommitSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Commit it, content and mode as they are, on top of `expected_head`."""
        project = selectors.get_project(current_user(request), project_id, Permission.PROJECT_EDIT)
        sha = services.rename_file(project, **self.parse(RenameSerializer), acting_user=actor_of(request))
        return _made(project, sha)


class RestorationView(SourceView):
    """A file, or all files, as they were in an earlier commit."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=RestorationSerializer, responses={201: CommitSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Commit that on top of `expected_head`. Nothing of the history goes."""
        project = selectors.get_project(current_user(request), project_id, Permission.PROJECT_EDIT)
        sha = services.restore(project, **self.parse(RestorationSerializer), acting_user=actor_of(request))
        return _made(project, sha)


def _made(project: Project, sha: str) -> Response:
    return Response(CommitSerializer(source.history(project, limit=1, start=sha)[0]).data, status=201)

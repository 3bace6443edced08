"""REST: a project's files, commits and steps."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView
from modelwright.core.errors import ValidationFailed
from modelwright.core.pagination import limit_of
from projects import selectors, services, source
from projects.manifest import read_manifest
from projects.models import Project
from projects.serializers import (
    CommitCreateSerializer,
    CommitDetailSerializer,
    CommitPageSerializer,
    CommitSerializer,
    FileSerializer,
    ManifestSerializer,
    TreeSerializer,
    file_answer,
)

COMMIT = OpenApiParameter(
    "commit", str, description="Full id of a commit, or a branch or tag; the newest commit by default."
)
PATH = OpenApiParameter("path", str, description="A path inside the project.")


class SourceView(PlatformAPIView):
    """Base of the views that read one project."""

    def project(self, request: Request, project_id: UUID) -> Project:
        """The project, to be seen."""
        return selectors.get_project(current_user(request), project_id)

    def parameter(self, request: Request, name: str) -> str:
        """A query parameter, empty where it is missing."""
        return str(request.query_params.get(name, ""))


class TreeView(SourceView):
    """A folder of a commit."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[PATH, COMMIT], responses=TreeSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the folder at `path`, the root by default."""
        project, path = self.project(request, project_id), self.parameter(request, "path")
        commit = source.resolve(project, self.parameter(request, "commit"))
        entries = source.list_tree(project, commit, path)
        return Response(TreeSerializer({"commit": commit, "path": path, "entries": entries}).data)


class FileView(SourceView):
    """A file of a commit."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[PATH, COMMIT], responses=FileSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Answer the file at `path`: text as it is, everything else in base64."""
        project = self.project(request, project_id)
        commit = source.resolve(project, self.parameter(request, "commit"))
        content = source.read_file(project, commit, self.parameter(request, "path"))
        if content.is_truncated:
            raise ValidationFailed(
                f"{content.path} has {content.size:,} bytes; this operation answers files of at most "
                f"{source.MAX_FILE_BYTES:,}.",
                remedy="Clone the project with Git, or take `archive/`.",
                field="path",
            )
        return Response(file_answer(commit, content))


class ManifestView(SourceView):
    """The steps that a commit declares."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[COMMIT], responses=ManifestSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Answer `modelwright.yaml` as it was understood, or 422 with each wrong entry."""
        project = self.project(request, project_id)
        return Response(
            ManifestSerializer(read_manifest(project, source.resolve(project, self.parameter(request, "commit")))).data
        )


class CommitListView(SourceView):
    """The commits of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PROJECT_EDIT}

    @extend_schema(
        parameters=[
            PATH,
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 500}, description="Commits a page."),
            OpenApiParameter("start", str, description="The commit to begin with, from `next`; or a branch or tag."),
        ],
        responses=CommitPageSerializer,
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        """List commits, newest first; those that touched `path` if it is given."""
        project, limit = self.project(request, project_id), limit_of(request)
        path, start = self.parameter(request, "path"), self.parameter(request, "start")
        begin = source.resolve(project, start, field="start") if start else None
        found = source.history(project, path, limit + 1, begin)
        following = None
        if len(found) > limit:
            query = urlencode({**request.query_params.dict(), "start": found[limit].sha})
            following = request.build_absolute_uri(f"{request.path}?{query}")
        results = [CommitSerializer(commit).data for commit in found[:limit]]
        return Response({"results": results, "next": following, "previous": None})

    @extend_schema(request=CommitCreateSerializer, responses={201: CommitSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Commit files on top of `expected_head`."""
        project = selectors.get_project(current_user(request), project_id, Permission.PROJECT_EDIT)
        sha = services.commit(project, **self.parse(CommitCreateSerializer), acting_user=actor_of(request))
        return Response(CommitSerializer(source.history(project, limit=1, start=sha)[0]).data, status=201)


class CommitDetailView(SourceView):
    """A commit."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=CommitDetailSerializer)
    def get(self, request: Request, project_id: UUID, sha: str) -> Response:
        """Answer a commit and what it changed."""
        found = source.diff(self.project(request, project_id), sha)
        body: dict[str, Any] = {
            **CommitSerializer(found.commit).data,
            "files": [{"path": f.path, "added": f.added, "removed": f.removed} for f in found.files],
            "patch": found.patch,
            "patch_is_truncated": found.is_truncated,
        }
        return Response(body)

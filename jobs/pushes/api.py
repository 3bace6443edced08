"""REST: what starts jobs on a push."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.pushes import selectors, services
from jobs.pushes.serializers import (
    NewPushStartSerializer,
    PushSecretSerializer,
    PushSerializer,
    PushStartChangeSerializer,
    PushStartCreateSerializer,
    PushStartSerializer,
)
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.etags import expected_revision, tagged
from projects.api import IF_MATCH
from projects.selectors import get_project

EDIT = Permission.PROJECT_EDIT


class PushStartListView(PlatformAPIView):
    """What starts jobs of a project on a push."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": EDIT}

    @paged_schema("PushStart", PushStartSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the webhooks in, and the jobs that pushes to the project's repository start."""
        project = get_project(current_user(request), project_id)
        return self.paged(selectors.push_starts_of(project), PushStartSerializer)

    @extend_schema(request=PushStartCreateSerializer, responses={201: NewPushStartSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Have pushes start a job. The secret of a webhook is in this answer and never again."""
        project = get_project(current_user(request), project_id, EDIT)
        body = self.parse(PushStartCreateSerializer)
        start, secret = services.create_push_start(project, **body, acting_user=actor_of(request))
        return tagged({**PushStartSerializer(start).data, "secret": secret}, start.revision, status=201)


class PushStartDetailView(PlatformAPIView):
    """One of them."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PATCH": EDIT, "DELETE": EDIT}

    @extend_schema(responses=PushStartSerializer)
    def get(self, request: Request, start_id: UUID) -> Response:
        """Answer it, with its ETag."""
        start = selectors.get_push_start(current_user(request), start_id)
        return tagged(PushStartSerializer(start).data, start.revision)

    @extend_schema(parameters=[IF_MATCH], request=PushStartChangeSerializer, responses=PushStartSerializer)
    def patch(self, request: Request, start_id: UUID) -> Response:
        """Change it, or switch it on or off. From then on the runs are the caller's."""
        start = services.change_push_start(
            selectors.get_push_start(current_user(request), start_id, EDIT),
            expected_revision=expected_revision(request),
            acting_user=actor_of(request),
            **self.parse(PushStartChangeSerializer),
        )
        return tagged(PushStartSerializer(start).data, start.revision)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, start_id: UUID) -> Response:
        """Delete it. The runs that it started stay."""
        start = selectors.get_push_start(current_user(request), start_id, EDIT)
        services.delete_push_start(start, acting_user=actor_of(request))
        return Response(status=204)


class PushStartSecretView(PlatformAPIView):
    """Another secret."""

    permissions = {"POST": EDIT}

    @extend_schema(request=None, responses={201: PushSecretSerializer})
    @idempotent
    def post(self, request: Request, start_id: UUID) -> Response:
        """Make another secret. It is in this answer and never again; the one before counts no more."""
        start = selectors.get_push_start(current_user(request), start_id, EDIT)
        return Response({"secret": services.make_secret(start, acting_user=actor_of(request))}, status=201)


class PushListView(PlatformAPIView):
    """The pushes that were told."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("Push", PushSerializer)
    def get(self, request: Request, start_id: UUID) -> Response:
        """List the pushes and what came of them, newest first."""
        start = selectors.get_push_start(current_user(request), start_id)
        return self.paged(selectors.pushes_of(start), PushSerializer)

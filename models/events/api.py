"""REST: the stream of a project, its sinks, and what they did not take."""

from __future__ import annotations

from uuid import UUID

import orjson
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.events import selectors, services
from models.events.models import Family, Sink
from models.events.serializers import (
    DeadLetterSerializer,
    DiscardSerializer,
    LetterCountSerializer,
    LettersSerializer,
    NewSinkSerializer,
    SecretSerializer,
    SinkChangeSerializer,
    SinkCreateSerializer,
    SinkDetailSerializer,
    SinkReasonSerializer,
    SinkSerializer,
    SinkTestSerializer,
    StreamSerializer,
)
from models.events.states import LetterState
from models.events.trying import send_test_event
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed
from modelwright.core.pagination import limit_of
from modelwright.core.parameters import choice_of
from projects.selectors import get_project
from workspaces.selectors import get_workspace

MANAGE = Permission.ENDPOINT_MANAGE
_AFTER = OpenApiParameter(
    "after", {"type": "integer", "minimum": 0}, description="The `position` of the answer before, 0 at first."
)
_LIMIT = OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 500}, description="Things at most.")
_FAMILY = OpenApiParameter("family", {"type": "string", "enum": Family.values}, description="Only events of this kind.")
_STATE = OpenApiParameter("state", {"type": "string", "enum": LetterState.values}, description="Only such.")


class EventStreamView(PlatformAPIView):
    """The stream of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[_AFTER, _LIMIT, _FAMILY], responses=StreamSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Answer the CloudEvents after a position, oldest first. Ask again with `after` set to the `position` of the
        answer: nothing is skipped, and nothing comes twice. `oldest` is the first position that is still kept. Of
        changes, `reason`, `before` and `after` are for administrators of the project and auditors."""
        viewer = current_user(request)
        project = get_project(viewer, project_id)
        family = choice_of(request, "family", Family.values)
        page = selectors.stream_of(
            project,
            viewer,
            after=_position(request),
            limit=limit_of(request),
            families=frozenset([family] if family else Family.values),
        )
        events = [orjson.loads(event.body) for event in page.events]
        body = {"events": events, "position": page.position, "head": page.head, "oldest": page.oldest}
        return Response(StreamSerializer(body).data)


class SinkListView(PlatformAPIView):
    """The sinks of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": MANAGE}

    @paged_schema("EventSink", SinkSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List where the project's events are sent."""
        project = get_project(current_user(request), project_id)
        return self.paged(selectors.sinks_of(project), SinkSerializer)

    @extend_schema(request=SinkCreateSerializer, responses={201: NewSinkSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Add a sink. Its secret, with which posts are signed, is in this answer and never again."""
        project = get_project(current_user(request), project_id, MANAGE)
        sink, secret = services.create_sink(project, **self.parse(SinkCreateSerializer), acting_user=actor_of(request))
        return Response({**SinkSerializer(sink).data, "secret": secret}, status=201)


class WorkspaceSinkListView(PlatformAPIView):
    """The sinks of a workspace."""

    permissions = {"GET": Permission.WORKSPACE_MANAGE, "POST": Permission.WORKSPACE_MANAGE}

    @paged_schema("WorkspaceEventSink", SinkSerializer)
    def get(self, request: Request, workspace_id: UUID) -> Response:
        """List where the events of all projects of the workspace are sent together; for its administrators, since
        what is sent there is of every project."""
        workspace = get_workspace(current_user(request), workspace_id, Permission.WORKSPACE_MANAGE)
        return self.paged(selectors.sinks_of(workspace), SinkSerializer)

    @extend_schema(request=SinkCreateSerializer, responses={201: NewSinkSerializer})
    @idempotent
    def post(self, request: Request, workspace_id: UUID) -> Response:
        """Add a sink for all projects that the workspace has and gets. Its secret is in this answer and never again."""
        workspace = get_workspace(current_user(request), workspace_id, Permission.WORKSPACE_MANAGE)
        values = self.parse(SinkCreateSerializer)
        sink, secret = services.create_sink(workspace, **values, acting_user=actor_of(request))
        return Response({**SinkSerializer(sink).data, "secret": secret}, status=201)


class SinkDetailView(PlatformAPIView):
    """A sink."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PATCH": MANAGE, "DELETE": MANAGE}

    @extend_schema(responses=SinkDetailSerializer)
    def get(self, request: Request, sink_id: UUID) -> Response:
        """Answer one sink: how far it is, what waits, and what is wrong."""
        return _detail(selectors.get_sink(current_user(request), sink_id))

    @extend_schema(request=SinkChangeSerializer, responses=SinkDetailSerializer)
    def patch(self, request: Request, sink_id: UUID) -> Response:
        """Change where events go and which."""
        sink = selectors.get_sink(current_user(request), sink_id, MANAGE)
        services.change_sink(sink, **self.parse(SinkChangeSerializer), acting_user=actor_of(request))
        return _detail(selectors.get_sink(current_user(request), sink_id))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, sink_id: UUID) -> Response:
        """Remove the sink with its dead letters."""
        sink = selectors.get_sink(current_user(request), sink_id, MANAGE)
        services.remove_sink(sink, acting_user=actor_of(request))
        return Response(status=204)


class SinkPauseView(PlatformAPIView):
    """Sending nothing for now."""

    permissions = {"POST": MANAGE}

    @extend_schema(request=SinkReasonSerializer, responses=SinkDetailSerializer)
    def post(self, request: Request, sink_id: UUID) -> Response:
        """Pause the sink; what arrives meanwhile waits in the stream. Pausing it twice is harmless."""
        sink = selectors.get_sink(current_user(request), sink_id, MANAGE)
        services.pause_sink(sink, **self.parse(SinkReasonSerializer), acting_user=actor_of(request))
        return _detail(selectors.get_sink(current_user(request), sink_id))


class SinkResumeView(PlatformAPIView):
    """Sending again."""

    permissions = {"POST": MANAGE}

    @extend_schema(request=None, responses=SinkDetailSerializer)
    def post(self, request: Request, sink_id: UUID) -> Response:
        """Resume the sink. Resuming it twice is harmless."""
        sink = selectors.get_sink(current_user(request), sink_id, MANAGE)
        services.resume_sink(sink, acting_user=actor_of(request))
        return _detail(selectors.get_sink(current_user(request), sink_id))


class SinkTestView(PlatformAPIView):
    """Whether a sink takes what it is sent."""

    permissions = {"POST": MANAGE}

    @extend_schema(request=None, responses=SinkTestSerializer)
    def post(self, request: Request, sink_id: UUID) -> Response:
        """Send the sink a test event now, and answer what it said. The event is no part of the stream, and a sink that
        is paused is sent it too."""
        sink = selectors.get_sink(current_user(request), sink_id, MANAGE)
        answer = send_test_event(sink, acting_user=actor_of(request))
        return Response({"taken": answer.is_taken, "status": answer.status or None, "detail": answer.detail})


class SinkSecretView(PlatformAPIView):
    """Another secret."""

    permissions = {"POST": MANAGE}

    @extend_schema(request=None, responses={201: SecretSerializer})
    @idempotent
    def post(self, request: Request, sink_id: UUID) -> Response:
        """Make another secret. It is in this answer and never again; the one before signs nothing more."""
        sink = selectors.get_sink(current_user(request), sink_id, MANAGE)
        return Response({"secret": services.make_secret(sink, acting_user=actor_of(request))}, status=201)


class DeadLetterListView(PlatformAPIView):
    """What a sink did not take."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("DeadLetter", DeadLetterSerializer, [_STATE])
    def get(self, request: Request, sink_id: UUID) -> Response:
        """List what the sink did not take, and what waits behind such an event of the same key."""
        letters = selectors.letters_of(selectors.get_sink(current_user(request), sink_id))
        if state := choice_of(request, "state", LetterState.values):
            letters = letters.filter(state=state)
        return self.paged(letters, DeadLetterSerializer)


class DeadLetterResendView(PlatformAPIView):
    """Sending it again."""

    permissions = {"POST": MANAGE}

    @extend_schema(request=LettersSerializer, responses=LetterCountSerializer)
    def post(self, request: Request, sink_id: UUID) -> Response:
        """Send dead letters again, all where none are named; what waits behind one follows it, in order."""
        sink = selectors.get_sink(current_user(request), sink_id, MANAGE)
        count = services.send_again(sink, **self.parse(LettersSerializer), acting_user=actor_of(request))
        return Response({"count": count})


class DeadLetterDiscardView(PlatformAPIView):
    """Giving it up."""

    permissions = {"POST": MANAGE}

    @extend_schema(request=DiscardSerializer, responses=LetterCountSerializer)
    def post(self, request: Request, sink_id: UUID) -> Response:
        """Give dead letters up for good, all where none are named. What waits behind one that is named is sent."""
        sink = selectors.get_sink(current_user(request), sink_id, MANAGE)
        count = services.discard(sink, **self.parse(DiscardSerializer), acting_user=actor_of(request))
        return Response({"count": count})


def _detail(sink: Sink) -> Response:
    return Response(SinkDetailSerializer(sink, context={"progress": selectors.progress_of(sink)}).data)


def _position(request: Request) -> int:
    text = request.query_params.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValidationFailed(
            f"`after` is {text[:40]!r}.", remedy="Give the `position` of the answer before.", field="after"
        )
    return int(text)

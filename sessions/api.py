"""REST: sessions."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.compute.selectors import read_log
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema
from modelwright.core.errors import PermissionRefused, ValidationFailed
from modelwright.core.parameters import offset_of
from projects.selectors import get_project
from sessions import selectors, services
from sessions.models import Session
from sessions.serializers import (
    SessionChangesSerializer,
    SessionCommandSerializer,
    SessionCommitSerializer,
    SessionDetailSerializer,
    SessionLogSerializer,
    SessionMadeCommitSerializer,
    SessionPolicySerializer,
    SessionReadSerializer,
    SessionSampleSerializer,
    SessionSerializer,
    SessionStartRequestSerializer,
    SessionStopSerializer,
    WantedPackagesSerializer,
)
from sessions.services import SessionRequest
from sessions.viewing import changes_of

FILTERS = [
    OpenApiParameter("state", str, description="Only sessions in this state."),
    OpenApiParameter("owner", str, description="Only sessions of this person."),
]


class ProjectSessionListView(PlatformAPIView):
    """The sessions of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PROJECT_EDIT}

    @paged_schema("Session", SessionSerializer, FILTERS)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the sessions."""
        project = get_project(current_user(request), project_id)
        return self.paged(selectors.sessions_of(project, request.query_params), SessionSerializer)

    @extend_schema(request=SessionStartRequestSerializer, responses={201: SessionDetailSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Start a session of your own."""
        project = get_project(current_user(request), project_id, Permission.PROJECT_EDIT)
        asked = SessionRequest(**self.parse(SessionStartRequestSerializer))
        session = services.start_session(project, asked, acting_user=actor_of(request))
        return Response(SessionDetailSerializer(session).data, status=201)


class SessionDetailView(PlatformAPIView):
    """A session."""

    permissions = {"GET": Permission.PROJECT_VIEW, "DELETE": Permission.PROJECT_EDIT}

    @extend_schema(responses=SessionDetailSerializer)
    def get(self, request: Request, session_id: UUID) -> Response:
        """Answer one session."""
        return Response(SessionDetailSerializer(selectors.get_session(current_user(request), session_id)).data)

    @extend_schema(
        parameters=[OpenApiParameter("discard", bool, description="Throw away what is not committed or merged.")],
        responses={204: None},
    )
    def delete(self, request: Request, session_id: UUID) -> Response:
        """Delete an ended session with its branch and what it saved. 409 where that would lose work."""
        session = selectors.get_session(current_user(request), session_id, Permission.PROJECT_EDIT)
        discard = request.query_params.get("discard", "false").lower()
        if discard not in ("true", "false"):
            raise ValidationFailed(f"`discard` is {discard[:20]!r}.", remedy="Give true or false.", field="discard")
        services.delete_session(session, discard=discard == "true", acting_user=actor_of(request))
        return Response(status=204)


class SessionStopView(PlatformAPIView):
    """Ending a session."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=SessionStopSerializer, responses={202: SessionDetailSerializer})
    @idempotent
    def post(self, request: Request, session_id: UUID) -> Response:
        """Ask it to save and end. 409 where it has ended."""
        session = selectors.get_session(current_user(request), session_id, Permission.PROJECT_EDIT)
        session = services.request_stop(session, **self.parse(SessionStopSerializer), acting_user=actor_of(request))
        return Response(SessionDetailSerializer(session).data, status=202)


class SessionResumeView(PlatformAPIView):
    """Starting a session again."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=None, responses={202: SessionDetailSerializer})
    @idempotent
    def post(self, request: Request, session_id: UUID) -> Response:
        """Start your ended session again with what it saved."""
        session = selectors.get_session(current_user(request), session_id, Permission.PROJECT_EDIT)
        session = services.resume_session(session, acting_user=actor_of(request))
        return Response(SessionDetailSerializer(session).data, status=202)


class SessionChangesView(PlatformAPIView):
    """What is not committed."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=SessionChangesSerializer)
    def get(self, request: Request, session_id: UUID) -> Response:
        """Answer what was saved and is not on the session's branch, whether or not it still runs."""
        return Response(changes_of(selectors.get_session(current_user(request), session_id)))


class SessionCommitListView(PlatformAPIView):
    """Commits to the session's branch."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=SessionCommitSerializer, responses={201: SessionMadeCommitSerializer})
    @idempotent
    def post(self, request: Request, session_id: UUID) -> Response:
        """Commit what was saved to the session's branch."""
        session = selectors.get_session(current_user(request), session_id, Permission.PROJECT_EDIT)
        commit = services.commit_saved(session, **self.parse(SessionCommitSerializer), acting_user=actor_of(request))
        return Response({"commit": commit}, status=201)


class SessionMergeView(PlatformAPIView):
    """Merging."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=None, responses={201: SessionMadeCommitSerializer})
    @idempotent
    def post(self, request: Request, session_id: UUID) -> Response:
        """Merge the session's branch into the project's main one. 409 with a way out where both changed the same."""
        session = selectors.get_session(current_user(request), session_id, Permission.PROJECT_EDIT)
        return Response({"commit": services.merge_branch(session, acting_user=actor_of(request))}, status=201)


class SessionPackagesView(PlatformAPIView):
    """What was installed."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    @extend_schema(request=WantedPackagesSerializer, responses={202: SessionDetailSerializer})
    @idempotent
    def post(self, request: Request, session_id: UUID) -> Response:
        """Have the running session write packages into the requirements.txt of its tree."""
        session = selectors.get_session(current_user(request), session_id, Permission.PROJECT_EDIT)
        session = services.want_packages(session, **self.parse(WantedPackagesSerializer), acting_user=actor_of(request))
        return Response(SessionDetailSerializer(session).data, status=202)


class SessionLogView(PlatformAPIView):
    """What Lab and the agent printed."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(
        parameters=[
            OpenApiParameter("offset", {"type": "integer", "minimum": 0}, description="Byte to read from, 0 at first.")
        ],
        responses=SessionLogSerializer,
    )
    def get(self, request: Request, session_id: UUID) -> Response:
        """Answer at most 128 KiB of the log of the newest start from a byte on."""
        session = selectors.get_session(current_user(request), session_id)
        text, offset, finished = read_log(session.workload, offset_of(request))
        return Response({"text": text, "offset": offset, "finished": finished})


class SessionSampleListView(PlatformAPIView):
    """What a session used over time."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("SessionSample", SessionSampleSerializer)
    def get(self, request: Request, session_id: UUID) -> Response:
        """List what its processes used, every half minute, newest first."""
        session = selectors.get_session(current_user(request), session_id)
        return self.paged(selectors.samples_of(session).order_by("-id"), SessionSampleSerializer)


class SessionCommandListView(PlatformAPIView):
    """What was typed in a session."""

    # Who may read it depends on whose session it is.
    permissions = {"GET": SIGNED_IN}

    @paged_schema("SessionCommand", SessionCommandSerializer)
    def get(self, request: Request, session_id: UUID) -> Response:
        """List cells and lines of terminals, newest first.

        For its owner, administrators of the project and auditors.
        """
        session = _private(request, session_id, "typed")
        return self.paged(selectors.commands_of(session), SessionCommandSerializer)


class SessionReadListView(PlatformAPIView):
    """What was read of data connections in a session."""

    # Who may read it depends on whose session it is.
    permissions = {"GET": SIGNED_IN}

    @paged_schema("SessionRead", SessionReadSerializer)
    def get(self, request: Request, session_id: UUID) -> Response:
        """List the data connections that were taken, and what was read from them, newest first.

        Statements, tables and files. For its owner, administrators of the project and auditors.
        """
        session = _private(request, session_id, "read")
        return self.paged(selectors.reads_of(session).select_related("session__owner"), SessionReadSerializer)


def _private(request: Request, session_id: UUID, what: str) -> Session:
    """The session, of which the person may see what was typed and read in it. Raises NotFound, PermissionRefused."""
    viewer = current_user(request)
    session = selectors.get_session(viewer, session_id)
    if not selectors.may_read_commands(viewer, session):
        raise PermissionRefused(
            f"What was {what} in a session is for its owner, administrators of the project and auditors.",
            remedy="Ask one of them.",
        )
    return session


class SessionPolicyView(PlatformAPIView):
    """What a project wants of its sessions."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PUT": Permission.PROJECT_MANAGE}

    @extend_schema(responses=SessionPolicySerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Answer it."""
        project = get_project(current_user(request), project_id)
        return Response({"records_commands": selectors.policy_of(project).records_commands})

    @extend_schema(request=SessionPolicySerializer, responses=SessionPolicySerializer)
    def put(self, request: Request, project_id: UUID) -> Response:
        """Say whether what is typed in sessions that start from now on is put on record."""
        project = get_project(current_user(request), project_id, Permission.PROJECT_MANAGE)
        policy = services.set_policy(project, **self.parse(SessionPolicySerializer), acting_user=actor_of(request))
        return Response({"records_commands": policy.records_commands})

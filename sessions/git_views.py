"""The three addresses that the Git of a session asks, with the session's own token."""

from __future__ import annotations

from typing import Any, BinaryIO
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from modelwright.accounts.permissions import Permission
from modelwright.core.api import PUBLIC
from modelwright.core.errors import NotFound, PlatformError, ValidationFailed
from projects.git_http.bodies import body_of, real_file
from projects.git_http.fetching import Answer, AsyncAnswer, advertised
from projects.git_http.packets import advertisement, read_updates, report
from projects.git_http.views import MAX_WANTS_BYTES, GitView
from projects.selectors import require_project
from projects.source.incoming import MAX_PACK_BYTES, RefUpdate
from sessions.authentication import SessionAuthentication, actor_of_session
from sessions.models import Session
from sessions.receiving import pushable, receive

SERVICES = ("git-upload-pack", "git-receive-pack")


@extend_schema(exclude=True)
class SessionGitView(GitView):
    """Base: the token says which session it is, and the address must be its own."""

    authentication_classes = (SessionAuthentication,)  # type: ignore[assignment]  # another than the base's
    # The token decides: without one that lives nobody is let in.
    permissions = {"GET": PUBLIC, "POST": PUBLIC}

    def session(self, request: Request, git_id: UUID) -> Session:
        """The session that asks, whose owner may still edit the project. Raises NotFound, PermissionRefused."""
        session = request.auth
        if not isinstance(session, Session) or session.pk != git_id:
            raise NotFound("There is no such session.", remedy="Use the address that Git was given in the session.")
        require_project(session.owner, Permission.PROJECT_EDIT, session.project)
        return session


class SessionReferencesView(SessionGitView):
    """What is there to fetch, or to push to."""

    permissions = {"GET": PUBLIC}

    def get(self, request: Request, git_id: UUID) -> HttpResponseBase:
        """Answer the branches and tags, and what the session saved, for `?service=`."""
        session = self.session(request, git_id)
        service = str(request.query_params.get("service", ""))
        if service not in SERVICES:
            raise ValidationFailed("Only Git's smart protocol is spoken here.", remedy="Use Git.", field="service")
        listed = (
            advertised(session.project, request.headers.get("Git-Protocol", ""), also=[session.saved_ref])
            if service == "git-upload-pack"
            else advertisement(pushable(session))
        )
        return _unstored(HttpResponse(listed, content_type=f"application/x-{service}-advertisement"))


class SessionFetchView(SessionGitView):
    """Fetch and pull."""

    permissions = {"POST": PUBLIC}

    def post(self, request: Request, git_id: UUID) -> HttpResponseBase:
        """Answer with the objects that the session lacks."""
        session = self.session(request, git_id)
        with body_of(request, MAX_WANTS_BYTES) as wanted:
            protocol = request.headers.get("Git-Protocol", "")
            answer = Answer(session.project, protocol, real_file(wanted), also=[session.saved_ref])
        pieces: Any = AsyncAnswer(answer) if hasattr(request, "scope") else answer
        return _unstored(StreamingHttpResponse(pieces, content_type="application/x-git-upload-pack-result"))


class SessionPushView(SessionGitView):
    """Push."""

    permissions = {"POST": PUBLIC}

    def post(self, request: Request, git_id: UUID) -> HttpResponseBase:
        """Make all changes that the push asks for, or none, and report which."""
        session = self.session(request, git_id)
        with body_of(request, MAX_PACK_BYTES) as body:
            updates = read_updates(body)
            said = _pushed(session, updates, body, request) if updates else b""
        return _unstored(HttpResponse(said, content_type="application/x-git-receive-pack-result"))


def _pushed(session: Session, updates: list[RefUpdate], body: BinaryIO, request: Request) -> bytes:
    actor = actor_of_session(session, str(request.META.get("REMOTE_ADDR", "")))
    try:
        with real_file(body) as pack:
            receive(session, updates, pack, acting_user=actor)
    except PlatformError as error:
        if error.status >= 500:
            raise
        return report(updates, refused=" ".join(f"{error.message} {error.remedy}".split()))
    return report(updates)


def _unstored(response: HttpResponseBase) -> HttpResponseBase:
    response.headers["Cache-Control"] = "no-cache, no-store, must-revalidate"
    return response

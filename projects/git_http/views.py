"""The three addresses that `git` asks of a project."""

from __future__ import annotations

from typing import Any, BinaryIO

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.models import ApiToken
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView
from modelwright.core.errors import PermissionRefused, PlatformError, ValidationFailed
from projects import selectors
from projects.git_http.bodies import body_of, real_file
from projects.git_http.fetching import Answer, AsyncAnswer, advertised
from projects.git_http.packets import advertisement, read_updates, report
from projects.git_http.signing_in import GitAuthentication
from projects.models import Project
from projects.pushing import push
from projects.source.incoming import MAX_PACK_BYTES, RefUpdate, references

MAX_WANTS_BYTES = 16 * 1024 * 1024
_NEEDED = {"git-upload-pack": Permission.PROJECT_VIEW, "git-receive-pack": Permission.PROJECT_EDIT}


@extend_schema(exclude=True)
class GitView(PlatformAPIView):
    """Base: signs in as Git does, and says in plain text what is wrong, which Git shows."""

    authentication_classes = (GitAuthentication,)
    parser_classes = ()

    def project(self, request: Request, workspace: str, project: str, service: str) -> Project:
        """The project, if the person and their token may do what `service` does. Raises NotFound, PermissionRefused."""
        if service == "git-receive-pack" and getattr(request.auth, "scope", "") != ApiToken.Scope.FULL:
            raise PermissionRefused("This API token may only read.", remedy="Push with a token of full scope.")
        return selectors.named_project(current_user(request), workspace, project, _NEEDED[service])

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Git asks for media types of its own, which the answers name themselves."""
        return super().perform_content_negotiation(request, force=True)

    def handle_exception(self, exc: Exception) -> Response:
        """Git shows the text of an error, and nothing of a problem document."""
        answer = super().handle_exception(exc)
        if not isinstance(exc, PlatformError | APIException):
            return answer
        text = f"{exc.message} {exc.remedy}".strip() if isinstance(exc, PlatformError) else str(exc.detail)
        plain = HttpResponse(f"{text}\n", status=answer.status_code, content_type="text/plain; charset=utf-8")
        if "WWW-Authenticate" in answer:
            plain["WWW-Authenticate"] = answer["WWW-Authenticate"]
        return _unstored(plain)  # type: ignore[return-value]  # DRF passes on any response


class ReferencesView(GitView):
    """What is there to fetch, or to push to."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: Request, workspace: str, project: str) -> HttpResponseBase:
        """Answer the branches and tags for `?service=`."""
        service = str(request.query_params.get("service", ""))
        if service not in _NEEDED:
            raise ValidationFailed(
                "Only Git's smart protocol is spoken here.", remedy="Use `git` 1.6.6 or newer.", field="service"
            )
        found = self.project(request, workspace, project, service)
        listed = (
            advertised(found, request.headers.get("Git-Protocol", ""))
            if service == "git-upload-pack"
            else advertisement(references(found))
        )
        return _unstored(HttpResponse(listed, content_type=f"application/x-{service}-advertisement"))


class FetchView(GitView):
    """Clone, fetch and pull."""

    permissions = {"POST": Permission.PROJECT_VIEW}

    def post(self, request: Request, workspace: str, project: str) -> HttpResponseBase:
        """Answer with the objects that the client lacks."""
        found = self.project(request, workspace, project, "git-upload-pack")
        with body_of(request, MAX_WANTS_BYTES) as wanted:
            answer = Answer(found, request.headers.get("Git-Protocol", ""), real_file(wanted))
        pieces: Any = AsyncAnswer(answer) if hasattr(request, "scope") else answer
        return _unstored(StreamingHttpResponse(pieces, content_type="application/x-git-upload-pack-result"))


class PushView(GitView):
    """Push."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    def post(self, request: Request, workspace: str, project: str) -> HttpResponseBase:
        """Make all changes that the push asks for, or none, and report which."""
        found = self.project(request, workspace, project, "git-receive-pack")
        with body_of(request, MAX_PACK_BYTES) as body:
            updates = read_updates(body)
            said = _pushed(found, updates, body, request) if updates else b""
        return _unstored(HttpResponse(said, content_type="application/x-git-receive-pack-result"))


def _pushed(project: Project, updates: list[RefUpdate], body: BinaryIO, request: Request) -> bytes:
    try:
        with real_file(body) as pack:
            push(project, updates, pack, acting_user=actor_of(request))
    except PlatformError as error:
        if error.status >= 500:
            raise
        return report(updates, refused=" ".join(f"{error.message} {error.remedy}".split()))
    return report(updates)


def _unstored(response: HttpResponseBase) -> HttpResponseBase:
    response.headers["Cache-Control"] = "no-cache, no-store, must-revalidate"
    return response

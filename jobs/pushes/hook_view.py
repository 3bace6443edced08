"""The address that Git servers elsewhere post pushes to."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.models import Push
from jobs.pushes.receiving import receive
from modelwright.core.api import PUBLIC, PlatformAPIView
from projects.git_http.bodies import body_of

MAX_BODY_BYTES = 5 * 1024 * 1024


@extend_schema(exclude=True)
class PushHookView(PlatformAPIView):
    """A webhook in. Nobody signs in here: the body is signed, or a token stands in a header."""

    permissions = {"POST": PUBLIC}
    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = ()

    def post(self, request: Request, hook_id: UUID) -> Response:
        """Start the job where a branch that is meant was pushed to; say what came of it."""
        with body_of(request, MAX_BODY_BYTES) as body:
            content = body.read()
        push = receive(hook_id, request.headers, content, address=str(request.META.get("REMOTE_ADDR", "")))
        if push is None:
            return Response({"outcome": "repeated", "detail": "This was posted before.", "run": None})
        started = push.outcome == Push.Outcome.STARTED
        run = str(push.run_id) if started else None
        # What is wrong with the job is for members, not for whoever posts.
        detail = push.detail if push.outcome == Push.Outcome.IGNORED else ""
        return Response({"outcome": push.outcome, "detail": detail, "run": run}, status=202 if started else 200)

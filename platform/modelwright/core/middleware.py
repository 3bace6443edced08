"""Headers and ids of every request."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from modelwright.core.ids import new_id

Handler = Callable[[HttpRequest], HttpResponse]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
_REQUEST_ID = re.compile(r"\A[A-Za-z0-9_-]{8,64}\Z")


class RequestIdMiddleware:
    """Give each request an id, taken from `X-Request-ID` when that is a plain one; audit rows carry it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.match(given) else new_id().hex
        request.META["modelwright.request_id"] = request_id
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response


class ContentSecurityMiddleware:
    """Send the strict policy with every answer: nothing inline, nothing from elsewhere, no frames."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response

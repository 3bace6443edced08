"""Requests to pages and REST, counted by the name of their route: there are only so many of those."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from modelwright.core import counting

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class CountingMiddleware:
    """Stands first, so that it counts what any other part answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        response = self.get_response(request)
        route = route_of(request)
        scope: dict[str, Any] = getattr(request, "scope", {})
        # For the span around it, which knows nothing of routes.
        scope["modelwright.route"] = route
        counted(route, request.method or "", response.status_code, time.monotonic() - began)
        return response


def counted(route: str, method: str, status: int, seconds: float) -> None:
    """One request was answered."""
    method = method if method in METHODS else "other"
    counting.count(counting.WEB_REQUESTS, route=route, method=method, status=str(status))
    counting.observe(counting.WEB_SECONDS, seconds, route=route)


def route_of(request: HttpRequest) -> str:
    """The name of the route that answered; `static` for files, `none` where there is no such address."""
    if request.resolver_match is not None:
        return request.resolver_match.view_name or "none"
    return "static" if request.path.startswith(settings.STATIC_URL) else "none"

"""The base of every page: sign-in, declared permission, the same error for the same wrong input as the API."""

from __future__ import annotations

import sys
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.views import View

from modelwright.core.errors import NotFound, PermissionRefused, PlatformError, Unavailable
from modelwright.core.problems import CONTENT_TYPE, is_api, problem_response

# (label, address); the last one is the page itself and needs no address.
Crumbs = list[tuple[str, str]]


class PlatformView(LoginRequiredMixin, View):
    """A page for a signed-in person. `permissions` declares, for each method, what its selector or service enforces.

    A method without a declaration does not exist. Platform errors and "not found" become the error page.
    """

    permissions: ClassVar[dict[str, str]] = {}
    template: ClassVar[str] = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse undeclared methods; show platform errors as a page."""
        method = (request.method or "").upper()
        if method not in self.permissions and method not in ("HEAD", "OPTIONS"):
            return self.http_method_not_allowed(request)
        try:
            return super().dispatch(request, *args, **kwargs)
        except PlatformError as error:
            return error_page(request, error)

    def handle_no_permission(self) -> HttpResponseRedirect:
        """Send to the sign-in page; a part that refreshes itself sends the whole page there instead of showing it."""
        response = super().handle_no_permission()
        if self.request.headers.get("HX-Request"):
            back = urlsplit(self.request.headers.get("HX-Current-URL", "/"))
            response = redirect_to_login(back.path + (f"?{back.query}" if back.query else ""))
            response.status_code = 401
            response.headers["HX-Redirect"] = response.url
            del response.headers["Location"]
        return response

    def page(
        self,
        context: dict[str, Any] | None = None,
        *,
        crumbs: Crumbs | None = None,
        status: int = 200,
        template: str = "",
    ) -> HttpResponse:
        """Render the page's template, with the breadcrumb `crumbs` above it."""
        full = {**(context or {}), "crumbs": crumbs if crumbs is not None else (context or {}).get("crumbs")}
        return render(self.request, template or self.template, full, status=status)


def error_page(request: HttpRequest, error: PlatformError) -> HttpResponse:
    """The error component, as a whole page or as a fragment for htmx."""
    template = "components/error.html" if request.headers.get("HX-Request") else "error.html"
    return render(request, template, {"error": error, "back": _way_back(request)}, status=error.status)


def _way_back(request: HttpRequest) -> str:
    """The page of this platform that led here, or nothing. A refusal is often mended there."""
    came_from = urlsplit(request.headers.get("Referer", ""))
    if came_from.netloc != request.get_host() or came_from.path in ("", request.path, "/login/"):
        return ""
    return came_from.path + (f"?{came_from.query}" if came_from.query else "")


def _answer(request: HttpRequest, error: PlatformError) -> HttpResponse:
    return problem_response(error) if is_api(request) else error_page(request, error)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`."""
    said = str(exception.args[0]) if isinstance(exception, Http404) and exception.args else ""
    # A resolver's exception carries a mapping of tried routes, which is nothing for a person.
    message = said if said and not said.startswith("{") else "There is nothing at this address."
    remedy = "Check the address, or follow the navigation. What you may not see is not found either."
    return _answer(request, NotFound(message, remedy=remedy))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler403`."""
    message = str(exception) or "Your role does not allow this."
    return _answer(request, PermissionRefused(message, remedy="Ask an administrator of the project or workspace."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """`handler400`. The exception's words are for logs: they may repeat what an attacker sent."""
    return _answer(request, PlatformError("The request is malformed.", remedy="Go back and try again."))


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`. Needs neither database nor session, which may be what failed: that is a 503."""
    request_id = str(request.META.get("modelwright.request_id", ""))
    if isinstance(sys.exc_info()[1], OperationalError):
        return _database_away(request, request_id)
    if is_api(request):
        body = {
            "type": "/docs/problems/#internal-error",
            "title": "Something went wrong in the platform",
            "status": 500,
            "detail": "This is a fault of the platform. The request changed nothing.",
            "remedy": f"Try again; if it happens again, give an administrator the request id {request_id}.",
            "errors": [],
        }
        return JsonResponse(body, status=500, content_type=CONTENT_TYPE)
    return render(None, "500.html", {"request_id": request_id}, status=500)


def _database_away(request: HttpRequest, request_id: str) -> HttpResponse:
    if is_api(request):
        remedy = f"Try again in a moment; an administrator finds the cause by the request id {request_id}."
        response: HttpResponse = problem_response(Unavailable("The database does not answer.", remedy=remedy))
    else:
        response = render(None, "500.html", {"request_id": request_id, "is_database": True}, status=503)
    response.headers["Retry-After"] = "5"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Say what a person can do about a form that was open too long."""
    error = PlatformError(
        "This form is no longer valid: the page was open for too long, or cookies are off.",
        remedy="Go back, reload the page and send the form again.",
    )
    error.status = 403
    return error_page(request, error)

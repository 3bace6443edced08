"""The base of every page: sign-in, declared permission, the same error for the same wrong input as the API."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views import View

from modelwright.core.errors import PlatformError


class PlatformView(LoginRequiredMixin, View):
    """A page for a signed-in person. `permissions` declares, for each method, what its selector or service enforces."""

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

    def page(self, context: dict[str, Any] | None = None, *, status: int = 200, template: str = "") -> HttpResponse:
        """Render the page's template."""
        return render(self.request, template or self.template, context, status=status)


def error_page(request: HttpRequest, error: PlatformError) -> HttpResponse:
    """The error component, as a whole page or as a fragment for htmx."""
    template = "components/error.html" if request.headers.get("HX-Request") else "error.html"
    return render(request, template, {"error": error}, status=error.status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Say what a person can do about a form that was open too long."""
    error = PlatformError(
        "This form is no longer valid: the page was open for too long, or cookies are off.",
        remedy="Go back, reload the page and send the form again.",
    )
    error.status = 403
    return error_page(request, error)

"""Pages: the REST API's documentation and the explanation of each problem."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from modelwright.console import openapi
from modelwright.console.problem_texts import PROBLEMS
from modelwright.core.api import SIGNED_IN
from modelwright.core.errors import ValidationFailed
from modelwright.core.pages import PlatformView
from modelwright.core.problems import problem_body
from modelwright.core.templatetags.ui import pretty_json

EXAMPLE = ValidationFailed("The token would have expired already.", remedy="Give a later time.", field="expires_at")


class ApiDocsView(PlatformView):
    """The REST API, one section for each tag."""

    permissions = {"GET": SIGNED_IN}
    template = "docs/api.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show every operation."""
        return self.page({"groups": openapi.groups(), "example": openapi.first_request()}, crumbs=[("REST API", "")])


class ProblemsView(PlatformView):
    """What each problem type means. `type` in a problem document is an address on this page."""

    permissions = {"GET": SIGNED_IN}
    template = "docs/problems.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show them."""
        return self.page(
            {"problems": PROBLEMS, "example": pretty_json(problem_body(EXAMPLE))},
            crumbs=[("Problems and remedies", "")],
        )

"""Pages: the REST API's documentation and the explanation of each problem."""

from __future__ import annotations

from functools import lru_cache

from django.http import HttpRequest, HttpResponseBase
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

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
        context = {"groups": openapi.groups(), "operations": _operations(), "example": openapi.first_request()}
        return self.page(context, crumbs=[("REST API", "")])


@lru_cache(maxsize=1)
def _operations() -> SafeString:
    """The sections, the same for everybody. Drawn once: there are so many that it takes half a second."""
    return render_to_string("docs/operations.html", {"groups": openapi.groups()})


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

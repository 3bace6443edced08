"""Page: where a person starts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from modelwright.core.api import SIGNED_IN
from modelwright.core.pages import PlatformView


class HomeView(PlatformView):
    """The start page."""

    permissions = {"GET": SIGNED_IN}
    template = "console/home.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show what is the person's."""
        return self.page({})

"""Page: where a person starts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from modelwright.accounts.views import person_of
from modelwright.console.home import overview
from modelwright.core.api import SIGNED_IN
from modelwright.core.pages import PlatformView


class HomeView(PlatformView):
    """The start page."""

    permissions = {"GET": SIGNED_IN}
    template = "console/home.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show what runs, what serves and what is the person's."""
        return self.page({"overview": overview(person_of(request))})

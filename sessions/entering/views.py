"""Pages: the way into a session or an application."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.api import SIGNED_IN
from modelwright.core.middleware import CONTENT_SECURITY_POLICY
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from sessions.entering.places import Place, application_place, session_place
from sessions.entering.services import enter, sessions_site


@method_decorator(never_cache, name="dispatch")
class EnterView(ProjectPage):
    """Go into something: at once from a link of the platform's own pages, else after a question.

    A link of another site leads to the question, so that nobody else has a browser enter.
    """

    template = "entering/enter.html"

    def ask_or_go(self, request: HttpRequest, place: Place) -> HttpResponseBase:
        """The answer to a GET."""
        own_link = request.headers.get("Sec-Fetch-Site") == "same-origin"
        if own_link and request.headers.get("Sec-Fetch-Mode") == "navigate" and place.refusal is None:
            return self.go(request, place)
        title = f"Open {place.title}"
        context = {**self.frame(request, place.project), "place": place, "title": title, "host": sessions_site().host}
        crumbs = project_crumbs(place.project, (place.title.capitalize(), place.back), ("Open", ""))
        response = self.page(context, crumbs=crumbs)
        # A form may lead where it is redirected to only if the policy names that too.
        response.headers["Content-Security-Policy"] = _policy()
        return response

    def go(self, request: HttpRequest, place: Place) -> HttpResponse:
        """Send the browser in."""
        response = HttpResponseRedirect(
            enter(place, session_key=request.session.session_key, acting_user=actor_of(request))
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


class SessionEnterView(EnterView):
    """Go into a session."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PROJECT_EDIT}

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Go in, or ask."""
        return self.ask_or_go(request, session_place(person_of(request), session_id))

    def post(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Go in."""
        return self.go(request, session_place(person_of(request), session_id, Permission.PROJECT_EDIT))


class ApplicationEnterView(EnterView):
    """Go into an application."""

    # Whom it lets in depends on the application.
    permissions = {"GET": Permission.PROJECT_VIEW, "POST": SIGNED_IN}

    def get(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Go in, or ask."""
        return self.ask_or_go(request, application_place(person_of(request), application_id))

    def post(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Go in."""
        return self.go(request, application_place(person_of(request), application_id))


def _policy() -> str:
    site = sessions_site()
    origins = f"{site.scheme}://*.{site.host}{f':{site.port}' if site.port else ''}"
    return CONTENT_SECURITY_POLICY.replace("form-action 'self'", f"form-action 'self' {origins}")

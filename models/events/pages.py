"""What the pages of sinks share."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse

from models.events import selectors
from models.events.models import Sink
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.pages import Crumbs
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions

MANAGE = Permission.ENDPOINT_MANAGE


def sink_crumbs(sink: Sink, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the sink."""
    section = ("Events", reverse("project-events", args=[sink.project_id]))
    return project_crumbs(sink.project, section, (sink.name, reverse("event-sink", args=[sink.pk])), *more)


class EventsPage(ProjectPage):
    """A page of events."""

    def sink(self, request: HttpRequest, sink_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Sink:
        """The sink, in whose project the person holds `permission`."""
        return selectors.get_sink(person_of(request), sink_id, permission)

    def may(self, request: HttpRequest, project: Project) -> dict[str, bool]:
        """What of these pages' actions the person may do."""
        return {"may_manage_sinks": MANAGE in project_permissions(person_of(request), project)}

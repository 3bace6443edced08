"""What the pages of sinks share."""

from __future__ import annotations

from typing import Any
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
from workspaces.models import Workspace
from workspaces.pages import workspace_crumbs, workspace_tabs
from workspaces.selectors import get_workspace, workspace_permissions

MANAGE = Permission.ENDPOINT_MANAGE


Home = Project | Workspace


def events_url(home: Home) -> str:
    """The page of the events of a project or a workspace."""
    return reverse("project-events" if isinstance(home, Project) else "workspace-events", args=[home.pk])


def events_crumbs(home: Home, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of events; to that of the project or workspace itself where there are no `more`."""
    section = ("Events", events_url(home) if more else "")
    if isinstance(home, Project):
        return project_crumbs(home, section, *more)
    return workspace_crumbs(home, section, *more)


def sink_crumbs(sink: Sink, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the sink."""
    return events_crumbs(sink.home, (sink.name, reverse("event-sink", args=[sink.pk])), *more)


class EventsPage(ProjectPage):
    """A page of events."""

    def frame_of(self, request: HttpRequest, home: Home) -> dict[str, Any]:
        """What is around the content, and what of these pages' actions the person may do. Who sees a sink of a
        workspace administers it."""
        if isinstance(home, Project):
            return {**self.frame(request, home), **self.may(request, home)}
        held = workspace_permissions(person_of(request), home)
        tabs = workspace_tabs(home, "workspace-events", held)
        return {"workspace": home, "tabs": tabs, "may_manage_sinks": Permission.WORKSPACE_MANAGE in held}

    def workspace(self, request: HttpRequest, workspace_id: UUID) -> Workspace:
        """The workspace, which the person administers."""
        return get_workspace(person_of(request), workspace_id, Permission.WORKSPACE_MANAGE)

    def sink(self, request: HttpRequest, sink_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Sink:
        """The sink, in whose project the person holds `permission`, or whose workspace they administer."""
        return selectors.get_sink(person_of(request), sink_id, permission)

    def may(self, request: HttpRequest, project: Project) -> dict[str, bool]:
        """What of these pages' actions the person may do."""
        return {"may_manage_sinks": MANAGE in project_permissions(person_of(request), project)}

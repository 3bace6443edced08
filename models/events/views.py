"""Pages: a project's events and where they go; one sink and what it did not take."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from models.endpoints.models import Endpoint
from models.events import selectors
from models.events.facts import shown_url
from models.events.models import DeadLetter, Family, Sink
from models.events.ordering import head
from models.events.pages import EventsPage, Home, events_crumbs, sink_crumbs
from models.events.states import LetterState, SinkState
from modelwright.accounts.permissions import Permission
from modelwright.core.listing import Column, Filter, Listing

NEWEST_EVENTS = 20


def _sinks(request: HttpRequest, home: Home) -> Listing[Sink]:
    columns = [
        Column("Sink", "name"),
        Column("State", "state"),
        Column("Address"),
        Column("Events"),
        Column("Delivered", "delivered", numeric=True),
        Column("Last", "last", ("delivered_at",)),
        Column("Not taken", "open", ("open_letters",), numeric=True),
    ]
    filters = [
        # Not the address: what follows its `?` may be a password.
        Filter("q", "Name or description", ("name", "description")),
        Filter("state", "State", ("state",), SinkState.choices),
    ]
    listing = Listing(selectors.sinks_of(home), request.GET, columns=columns, filters=filters, default_sort="name")
    for sink in listing.rows:
        sink.shown_url = shown_url(sink.url)  # type: ignore[attr-defined]  # for the template alone
    return listing


def _events(request: HttpRequest, home: Home) -> dict[str, Any]:
    newest = selectors.newest_of(home, limit=NEWEST_EVENTS, families=frozenset(Family.values))
    return {"listing": _sinks(request, home), "newest": newest, "head": head()}


class ProjectEventsView(EventsPage):
    """A project's events: the newest, and where they are sent."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "events/project_events.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show them."""
        project = self.project(request, project_id)
        context = {
            **self.frame_of(request, project),
            **_events(request, project),
            "create_url": reverse("event-sink-create", args=[project.pk]),
            "sinks_beside": selectors.sinks_beside(project),
        }
        return self.page(context, crumbs=events_crumbs(project))


class WorkspaceEventsView(EventsPage):
    """The events of all projects of a workspace, and where they are sent together."""

    permissions = {"GET": Permission.WORKSPACE_MANAGE}
    template = "events/workspace_events.html"

    def get(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Show them."""
        workspace = self.workspace(request, workspace_id)
        context = {
            **self.frame_of(request, workspace),
            **_events(request, workspace),
            "create_url": reverse("workspace-event-sink-create", args=[workspace.pk]),
        }
        return self.page(context, crumbs=events_crumbs(workspace))


class SinkView(EventsPage):
    """A sink: how far it is, what is wrong, and what it did not take."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "events/sink.html"

    def get(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Show it."""
        sink = self.sink(request, sink_id)
        endpoints = Endpoint.objects.filter(pk__in=sink.endpoint_ids).order_by("name")
        context = {
            **self.frame_of(request, sink.home),
            **_state(sink),
            "shown_url": shown_url(sink.url),
            "families": [Family(family).label for family in sink.families],
            "endpoints": endpoints,
            "listing": _letters(request, sink),
        }
        return self.page(context, crumbs=sink_crumbs(sink))


def _letters(request: HttpRequest, sink: Sink) -> Listing[DeadLetter]:
    columns = [
        Column("Event", "event", ("event_id",)),
        Column("Kind", "type"),
        Column("State", "state"),
        Column("Why", "why", ("reason",)),
        Column("Attempts", "attempts", numeric=True),
        Column("Since", "created", "created_at"),
        Column("Actions", hidden_label=True),
    ]
    filters = [
        Filter("q", "Event, key or reason", ("event_id", "key", "reason")),
        Filter("state", "State", ("state",), LetterState.choices),
        Filter("since", "Since", ("created_at",), kind="date"),
    ]
    return Listing(selectors.letters_of(sink), request.GET, columns=columns, filters=filters, default_sort="-created")


def _state(sink: Sink) -> dict[str, Any]:
    return {"sink": sink, "progress": selectors.progress_of(sink)}


class SinkStateView(EventsPage):
    """The live part of a sink's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "events/_sink_state.html"

    def get(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Answer the fragment."""
        return self.page(_state(self.sink(request, sink_id)))

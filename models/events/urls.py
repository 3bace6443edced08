"""Addresses of this room."""

from django.urls import URLPattern, path

from models.events import action_views, api, views

_PROJECT = "projects/<uuid:project_id>/"
_WORKSPACE = "workspaces/<uuid:workspace_id>/"
_SINK = "event-sinks/<uuid:sink_id>/"

api_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}events/", api.EventStreamView.as_view(), name="api-project-events"),
    path(f"{_PROJECT}event-sinks/", api.SinkListView.as_view(), name="api-project-event-sinks"),
    path(f"{_WORKSPACE}event-sinks/", api.WorkspaceSinkListView.as_view(), name="api-workspace-event-sinks"),
    path(_SINK, api.SinkDetailView.as_view(), name="api-event-sink"),
    path(f"{_SINK}pause/", api.SinkPauseView.as_view(), name="api-event-sink-pause"),
    path(f"{_SINK}resume/", api.SinkResumeView.as_view(), name="api-event-sink-resume"),
    path(f"{_SINK}test/", api.SinkTestView.as_view(), name="api-event-sink-test"),
    path(f"{_SINK}secret/", api.SinkSecretView.as_view(), name="api-event-sink-secret"),
    path(f"{_SINK}dead-letters/", api.DeadLetterListView.as_view(), name="api-dead-letters"),
    path(f"{_SINK}dead-letters/resend/", api.DeadLetterResendView.as_view(), name="api-dead-letters-resend"),
    path(f"{_SINK}dead-letters/discard/", api.DeadLetterDiscardView.as_view(), name="api-dead-letters-discard"),
]
page_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}events/", views.ProjectEventsView.as_view(), name="project-events"),
    path(f"{_PROJECT}event-sinks/new/", action_views.SinkCreateView.as_view(), name="event-sink-create"),
    path(f"{_WORKSPACE}events/", views.WorkspaceEventsView.as_view(), name="workspace-events"),
    path(
        f"{_WORKSPACE}event-sinks/new/",
        action_views.WorkspaceSinkCreateView.as_view(),
        name="workspace-event-sink-create",
    ),
    path(_SINK, views.SinkView.as_view(), name="event-sink"),
    path(f"{_SINK}state/", views.SinkStateView.as_view(), name="event-sink-state"),
    path(f"{_SINK}edit/", action_views.SinkEditView.as_view(), name="event-sink-edit"),
    path(f"{_SINK}pause/", action_views.SinkPauseView.as_view(), name="event-sink-pause"),
    path(f"{_SINK}resume/", action_views.SinkResumeView.as_view(), name="event-sink-resume"),
    path(f"{_SINK}test/", action_views.SinkTestView.as_view(), name="event-sink-test"),
    path(f"{_SINK}secret/", action_views.SinkSecretView.as_view(), name="event-sink-secret"),
    path(f"{_SINK}remove/", action_views.SinkRemoveView.as_view(), name="event-sink-remove"),
    path(f"{_SINK}dead-letters/resend/", action_views.LettersResendView.as_view(), name="dead-letters-resend"),
    path(f"{_SINK}dead-letters/discard/", action_views.LettersDiscardView.as_view(), name="dead-letters-discard"),
]

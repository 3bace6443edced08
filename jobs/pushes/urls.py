"""Addresses of what starts jobs on a push."""

from __future__ import annotations

from django.urls import URLPattern, path

from jobs.pushes import api, hook_view, views

_PROJECT = "projects/<uuid:project_id>/push-starts/"
_START = "push-starts/<uuid:start_id>/"

api_urlpatterns: list[URLPattern] = [
    path(_PROJECT, api.PushStartListView.as_view(), name="api-project-push-starts"),
    path(_START, api.PushStartDetailView.as_view(), name="api-push-start"),
    path(f"{_START}secret/", api.PushStartSecretView.as_view(), name="api-push-start-secret"),
    path(f"{_START}pushes/", api.PushListView.as_view(), name="api-push-start-pushes"),
]
page_urlpatterns: list[URLPattern] = [
    path("hooks/<uuid:hook_id>/", hook_view.PushHookView.as_view(), name="push-hook"),
    path(_PROJECT, views.PushStartsView.as_view(), name="project-push-starts"),
    path(f"{_PROJECT}new/", views.PushStartCreateView.as_view(), name="push-start-create"),
    path(_START, views.PushStartView.as_view(), name="push-start"),
    path(f"{_START}edit/", views.PushStartEditView.as_view(), name="push-start-edit"),
    path(f"{_START}secret/", views.PushStartSecretView.as_view(), name="push-start-secret"),
    path(f"{_START}delete/", views.PushStartDeleteView.as_view(), name="push-start-delete"),
]

"""Addresses of this room."""

from django.urls import URLPattern, path

from sessions.applications import api, views

_PROJECT = "projects/<uuid:project_id>/"
_OWN = "applications/<uuid:application_id>/"

api_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}applications/", api.ProjectApplicationListView.as_view(), name="api-project-applications"),
    path(_OWN, api.ApplicationDetailView.as_view(), name="api-application"),
    path(f"{_OWN}start/", api.ApplicationStartView.as_view(), name="api-application-start"),
    path(f"{_OWN}stop/", api.ApplicationStopView.as_view(), name="api-application-stop"),
    path(f"{_OWN}visibility/", api.ApplicationVisibilityView.as_view(), name="api-application-visibility"),
    path(f"{_OWN}viewers/", api.ApplicationViewersView.as_view(), name="api-application-viewers"),
]
page_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}applications/", views.ApplicationsView.as_view(), name="project-applications"),
    path(f"{_PROJECT}applications/new/", views.ApplicationCreateView.as_view(), name="application-create"),
    path(_OWN, views.ApplicationView.as_view(), name="application"),
    path(f"{_OWN}state/", views.ApplicationStateView.as_view(), name="application-state"),
    path(f"{_OWN}log/", views.ApplicationLogView.as_view(), name="application-log"),
    path(f"{_OWN}start/", views.ApplicationStartView.as_view(), name="application-start"),
    path(f"{_OWN}stop/", views.ApplicationStopView.as_view(), name="application-stop"),
    path(f"{_OWN}visibility/", views.ApplicationVisibilityView.as_view(), name="application-visibility"),
    path(f"{_OWN}viewers/", views.ApplicationViewersView.as_view(), name="application-viewers"),
    path(f"{_OWN}delete/", views.ApplicationDeleteView.as_view(), name="application-delete"),
]

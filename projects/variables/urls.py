"""Addresses of variables and of the record of secrets."""

from __future__ import annotations

from django.urls import URLPattern, path

from projects.variables import api, views

_PROJECT = "projects/<uuid:project_id>/"

api_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}variables/", api.VariableListView.as_view(), name="api-project-variables"),
    path(f"{_PROJECT}variables/<slug:name>/", api.VariableDetailView.as_view(), name="api-project-variable"),
    path(f"{_PROJECT}secret-reads/", api.SecretReadListView.as_view(), name="api-project-secret-reads"),
]
page_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}variables/", views.VariablesView.as_view(), name="project-variables"),
    path(f"{_PROJECT}variables/<slug:name>/", views.VariableView.as_view(), name="project-variable"),
    path(f"{_PROJECT}variables/<slug:name>/edit/", views.VariableEditView.as_view(), name="project-variable-edit"),
    path(
        f"{_PROJECT}variables/<slug:name>/delete/", views.VariableDeleteView.as_view(), name="project-variable-delete"
    ),
    path(f"{_PROJECT}secret-reads/", views.SecretReadsView.as_view(), name="project-secret-reads"),
]

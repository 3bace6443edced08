"""Addresses of imports."""

from __future__ import annotations

from django.urls import URLPattern, path

from projects.importing import api, views

_PROJECT = "projects/<uuid:project_id>/"
_IMPORT = "imports/<uuid:import_id>/"

api_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}imports/", api.ImportListView.as_view(), name="api-project-imports"),
    path("imports/<uuid:import_id>/", api.ImportDetailView.as_view(), name="api-import"),
    path(
        "imports/<uuid:import_id>/cancellation/", api.ImportCancellationView.as_view(), name="api-import-cancellation"
    ),
]
page_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}import/", views.ImportView.as_view(), name="project-import"),
    path(f"{_PROJECT}import/newest/", views.NewestImportView.as_view(), name="project-import-newest"),
    path(f"{_IMPORT}cancel/", views.ImportCancelView.as_view(), name="import-cancel"),
]

"""Addresses of what people do with a project's files."""

from __future__ import annotations

from django.urls import URLPattern, path

from projects.files import api, views

_PROJECT = "projects/<uuid:project_id>/"

api_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}references/", api.ReferencesView.as_view(), name="api-project-references"),
    path(f"{_PROJECT}archive/", api.ArchiveView.as_view(), name="api-project-archive"),
    path(f"{_PROJECT}comparison/", api.ComparisonView.as_view(), name="api-project-comparison"),
    path(f"{_PROJECT}renames/", api.RenameView.as_view(), name="api-project-renames"),
    path(f"{_PROJECT}restorations/", api.RestorationView.as_view(), name="api-project-restorations"),
]
page_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}files/archive/", views.ArchiveView.as_view(), name="project-archive"),
    path(f"{_PROJECT}files/rename/", views.FileRenameView.as_view(), name="project-file-rename"),
    path(f"{_PROJECT}files/restore/", views.RestoreView.as_view(), name="project-restore"),
    path(f"{_PROJECT}files/upload/", views.UploadView.as_view(), name="project-upload"),
    path(f"{_PROJECT}compare/", views.CompareView.as_view(), name="project-compare"),
]

"""Addresses of this room."""

from django.urls import URLPattern, path

from projects import api, source_api

_PROJECT = "projects/<uuid:project_id>/"

api_urlpatterns: list[URLPattern] = [
    path(
        "workspaces/<uuid:workspace_id>/projects/",
        api.WorkspaceProjectListView.as_view(),
        name="api-workspace-projects",
    ),
    path("prototypes/", api.PrototypeListView.as_view(), name="api-prototypes"),
    path("projects/", api.ProjectListView.as_view(), name="api-projects"),
    path(_PROJECT, api.ProjectDetailView.as_view(), name="api-project"),
    path(f"{_PROJECT}members/", api.MemberListView.as_view(), name="api-project-members"),
    path(f"{_PROJECT}members/<slug:username>/", api.MemberDetailView.as_view(), name="api-project-member"),
    path(f"{_PROJECT}variables/", api.VariableListView.as_view(), name="api-project-variables"),
    path(f"{_PROJECT}variables/<slug:name>/", api.VariableDetailView.as_view(), name="api-project-variable"),
    path(f"{_PROJECT}tree/", source_api.TreeView.as_view(), name="api-project-tree"),
    path(f"{_PROJECT}files/", source_api.FileView.as_view(), name="api-project-files"),
    path(f"{_PROJECT}manifest/", source_api.ManifestView.as_view(), name="api-project-manifest"),
    path(f"{_PROJECT}commits/", source_api.CommitListView.as_view(), name="api-project-commits"),
    path(f"{_PROJECT}commits/<slug:sha>/", source_api.CommitDetailView.as_view(), name="api-project-commit"),
]
page_urlpatterns: list[URLPattern] = []

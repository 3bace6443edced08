"""Addresses of this room."""

from django.urls import URLPattern, path

from projects import api, edit_views, member_views, source_api, source_views, views

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
page_urlpatterns: list[URLPattern] = [
    path("workspaces/<uuid:workspace_id>/", views.WorkspaceView.as_view(), name="workspace"),
    path("workspaces/<uuid:workspace_id>/projects/new/", views.ProjectCreateView.as_view(), name="project-create"),
    path(_PROJECT, views.ProjectView.as_view(), name="project"),
    path(f"{_PROJECT}edit/", views.ProjectEditView.as_view(), name="project-edit"),
    path(f"{_PROJECT}files/", source_views.FilesView.as_view(), name="project-files"),
    path(f"{_PROJECT}files/download/", source_views.FileDownloadView.as_view(), name="project-file-download"),
    path(f"{_PROJECT}files/edit/", edit_views.FileEditView.as_view(), name="project-file-edit"),
    path(f"{_PROJECT}files/delete/", edit_views.FileDeleteView.as_view(), name="project-file-delete"),
    path(f"{_PROJECT}history/", source_views.HistoryView.as_view(), name="project-history"),
    path(f"{_PROJECT}commits/<slug:sha>/", source_views.CommitView.as_view(), name="project-commit"),
    path(f"{_PROJECT}members/", member_views.MembersView.as_view(), name="project-members"),
    path(
        f"{_PROJECT}members/<slug:username>/remove/",
        member_views.MemberRemoveView.as_view(),
        name="project-member-remove",
    ),
    path(f"{_PROJECT}variables/", member_views.VariablesView.as_view(), name="project-variables"),
    path(
        f"{_PROJECT}variables/<slug:name>/delete/",
        member_views.VariableDeleteView.as_view(),
        name="project-variable-delete",
    ),
]

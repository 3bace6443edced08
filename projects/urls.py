"""Addresses of this room."""

from django.urls import URLPattern, path

from projects import api, edit_views, member_views, source_api, source_views, views
from projects.files import urls as file_urls
from projects.git_http import views as git_views
from projects.importing import urls as import_urls
from projects.variables import urls as variable_urls

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
    *variable_urls.api_urlpatterns,
    *file_urls.api_urlpatterns,
    *import_urls.api_urlpatterns,
    path(f"{_PROJECT}tree/", source_api.TreeView.as_view(), name="api-project-tree"),
    path(f"{_PROJECT}files/", source_api.FileView.as_view(), name="api-project-files"),
    path(f"{_PROJECT}manifest/", source_api.ManifestView.as_view(), name="api-project-manifest"),
    path(f"{_PROJECT}commits/", source_api.CommitListView.as_view(), name="api-project-commits"),
    path(f"{_PROJECT}commits/<slug:sha>/", source_api.CommitDetailView.as_view(), name="api-project-commit"),
]
_GIT = "git/<slug:workspace>/<slug:project>.git/"

page_urlpatterns: list[URLPattern] = [
    path(f"{_GIT}info/refs", git_views.ReferencesView.as_view(), name="git-references"),
    path(f"{_GIT}git-upload-pack", git_views.FetchView.as_view(), name="git-fetch"),
    path(f"{_GIT}git-receive-pack", git_views.PushView.as_view(), name="git-push"),
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
    *variable_urls.page_urlpatterns,
    *file_urls.page_urlpatterns,
    *import_urls.page_urlpatterns,
]

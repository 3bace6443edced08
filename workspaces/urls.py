"""Addresses of this room."""

from django.urls import URLPattern, path

from workspaces import api

api_urlpatterns: list[URLPattern] = [
    path("workspaces/", api.WorkspaceListView.as_view(), name="api-workspaces"),
    path("workspaces/<uuid:workspace_id>/", api.WorkspaceDetailView.as_view(), name="api-workspace"),
    path("workspaces/<uuid:workspace_id>/members/", api.MemberListView.as_view(), name="api-workspace-members"),
    path(
        "workspaces/<uuid:workspace_id>/members/<slug:username>/",
        api.MemberDetailView.as_view(),
        name="api-workspace-member",
    ),
    path(
        "workspaces/<uuid:workspace_id>/data-connections/",
        api.DataConnectionListView.as_view(),
        name="api-data-connections",
    ),
    path(
        "workspaces/<uuid:workspace_id>/data-connections/<uuid:connection_id>/",
        api.DataConnectionDetailView.as_view(),
        name="api-data-connection",
    ),
]
page_urlpatterns: list[URLPattern] = []

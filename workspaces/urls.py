"""Addresses of this room."""

from django.urls import URLPattern, path

from workspaces import api, connection_views, member_views, views

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
_WORKSPACE = "workspaces/<uuid:workspace_id>/"
_CONNECTION = f"{_WORKSPACE}data-connections/<uuid:connection_id>/"

page_urlpatterns: list[URLPattern] = [
    path("workspaces/", views.WorkspacesView.as_view(), name="workspaces"),
    path("workspaces/new/", views.WorkspaceCreateView.as_view(), name="workspace-create"),
    path(f"{_WORKSPACE}settings/", views.WorkspaceSettingsView.as_view(), name="workspace-settings"),
    path(f"{_WORKSPACE}members/", member_views.MembersView.as_view(), name="workspace-members"),
    path(
        f"{_WORKSPACE}members/<slug:username>/remove/",
        member_views.MemberRemoveView.as_view(),
        name="workspace-member-remove",
    ),
    path(f"{_WORKSPACE}data-connections/", connection_views.ConnectionsView.as_view(), name="data-connections"),
    path(
        f"{_WORKSPACE}data-connections/new/",
        connection_views.ConnectionCreateView.as_view(),
        name="data-connection-create",
    ),
    path(_CONNECTION, connection_views.ConnectionChangeView.as_view(), name="data-connection"),
    path(f"{_CONNECTION}delete/", connection_views.ConnectionDeleteView.as_view(), name="data-connection-delete"),
]

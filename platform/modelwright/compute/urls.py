"""Addresses of this room."""

from django.urls import path

from modelwright.compute import api, joining_api, joining_views, profile_api, profile_views, views

api_urlpatterns = [
    path("hosts/", api.HostListView.as_view(), name="api-hosts"),
    path("hosts/join/", joining_api.JoinView.as_view(), name="api-host-join"),
    path("hosts/tokens/", joining_api.JoinTokenListView.as_view(), name="api-join-tokens"),
    path("hosts/tokens/<uuid:join_token_id>/", joining_api.JoinTokenDetailView.as_view(), name="api-join-token"),
    path("hosts/<uuid:host_id>/", api.HostDetailView.as_view(), name="api-host"),
    path("hosts/<uuid:host_id>/drain/", api.HostDrainView.as_view(), name="api-host-drain"),
    path("hosts/<uuid:host_id>/activate/", api.HostActivateView.as_view(), name="api-host-activate"),
    path("hosts/<uuid:host_id>/remove/", joining_api.HostRemovalView.as_view(), name="api-host-remove"),
    path("profiles/", profile_api.ProfileListView.as_view(), name="api-profiles"),
    path("profiles/<uuid:profile_id>/", profile_api.ProfileDetailView.as_view(), name="api-profile"),
    path("environments/", api.EnvironmentListView.as_view(), name="api-environments"),
    path("environments/<uuid:environment_id>/", api.EnvironmentDetailView.as_view(), name="api-environment"),
]
page_urlpatterns = [
    path("hosts/", views.HostsView.as_view(), name="hosts"),
    path("hosts/add/", joining_views.HostAddView.as_view(), name="host-add"),
    path("hosts/tokens/", joining_views.JoinTokensView.as_view(), name="join-tokens"),
    path(
        "hosts/tokens/<uuid:join_token_id>/revoke/",
        joining_views.JoinTokenRevokeView.as_view(),
        name="join-token-revoke",
    ),
    path("hosts/<uuid:host_id>/drain/", views.HostDrainView.as_view(), name="host-drain"),
    path("hosts/<uuid:host_id>/activate/", views.HostActivateView.as_view(), name="host-activate"),
    path("hosts/<uuid:host_id>/remove/", joining_views.HostRemoveView.as_view(), name="host-remove"),
    path("hosts/<uuid:host_id>/", views.HostView.as_view(), name="host"),
    path("profiles/", profile_views.ProfilesView.as_view(), name="profiles"),
    path("profiles/new/", profile_views.ProfileCreateView.as_view(), name="profile-create"),
    path("profiles/<uuid:profile_id>/", profile_views.ProfileEditView.as_view(), name="profile-edit"),
    path("profiles/<uuid:profile_id>/delete/", profile_views.ProfileDeleteView.as_view(), name="profile-delete"),
    path("environments/", views.EnvironmentsView.as_view(), name="environments"),
    path("environments/<uuid:environment_id>/", views.EnvironmentView.as_view(), name="environment"),
    path("workloads/<uuid:workload_id>/log/", views.WorkloadLogView.as_view(), name="workload-log"),
    path("workloads/<uuid:workload_id>/cancel/", views.WorkloadCancelView.as_view(), name="workload-cancel"),
]

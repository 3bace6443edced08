"""Addresses of this room."""

from django.urls import path

from modelwright.compute import api, views

api_urlpatterns = [
    path("hosts/", api.HostListView.as_view(), name="api-hosts"),
    path("hosts/<uuid:host_id>/", api.HostDetailView.as_view(), name="api-host"),
    path("hosts/<uuid:host_id>/drain/", api.HostDrainView.as_view(), name="api-host-drain"),
    path("hosts/<uuid:host_id>/activate/", api.HostActivateView.as_view(), name="api-host-activate"),
    path("profiles/", api.ProfileListView.as_view(), name="api-profiles"),
    path("environments/", api.EnvironmentListView.as_view(), name="api-environments"),
    path("environments/<uuid:environment_id>/", api.EnvironmentDetailView.as_view(), name="api-environment"),
]
page_urlpatterns = [
    path("hosts/", views.HostsView.as_view(), name="hosts"),
    path("hosts/<uuid:host_id>/drain/", views.HostDrainView.as_view(), name="host-drain"),
    path("hosts/<uuid:host_id>/activate/", views.HostActivateView.as_view(), name="host-activate"),
    path("environments/", views.EnvironmentsView.as_view(), name="environments"),
    path("environments/<uuid:environment_id>/", views.EnvironmentView.as_view(), name="environment"),
    path("workloads/", views.WorkloadsView.as_view(), name="workloads"),
    path("workloads/<uuid:workload_id>/", views.WorkloadView.as_view(), name="workload"),
    path("workloads/<uuid:workload_id>/log/", views.WorkloadLogView.as_view(), name="workload-log"),
    path("workloads/<uuid:workload_id>/cancel/", views.WorkloadCancelView.as_view(), name="workload-cancel"),
]

"""Addresses of this room."""

from django.urls import URLPattern, path

from models.endpoints import (
    action_views,
    api,
    consent_views,
    differences_api,
    graph_api,
    graph_views,
    retiring_api,
    retiring_views,
    routing_views,
    settings_views,
    timeline_views,
    views,
)

_ENDPOINT = "endpoints/<uuid:endpoint_id>/"

api_urlpatterns: list[URLPattern] = [
    path("endpoints/", api.EndpointListView.as_view(), name="api-endpoints"),
    path("projects/<uuid:project_id>/endpoints/", api.ProjectEndpointListView.as_view(), name="api-project-endpoints"),
    path("endpoints/<uuid:endpoint_id>/", api.EndpointDetailView.as_view(), name="api-endpoint"),
    path("endpoints/<uuid:endpoint_id>/replicas/", api.EndpointReplicaListView.as_view(), name="api-endpoint-replicas"),
    path("endpoints/<uuid:endpoint_id>/deployments/", api.DeploymentListView.as_view(), name="api-deployments"),
    path(
        "endpoints/<uuid:endpoint_id>/graph-deployments/",
        graph_api.GraphDeploymentView.as_view(),
        name="api-graph-deployments",
    ),
    path(
        "endpoints/<uuid:endpoint_id>/consents/",
        consent_views.EndpointConsentsView.as_view(),
        name="api-endpoint-consents",
    ),
    path("projects/<uuid:project_id>/graphs/", graph_api.ProjectGraphsView.as_view(), name="api-project-graphs"),
    path("endpoints/<uuid:endpoint_id>/rollbacks/", api.RollbackView.as_view(), name="api-rollbacks"),
    path(
        "endpoints/<uuid:endpoint_id>/retirement/",
        retiring_api.RetirementView.as_view(),
        name="api-endpoint-retirement",
    ),
    path(
        "deployments/<uuid:deployment_id>/copies/",
        retiring_api.DeploymentCopyView.as_view(),
        name="api-deployment-copies",
    ),
    path("endpoints/<uuid:endpoint_id>/stop/", api.StopView.as_view(), name="api-endpoint-stop"),
    path("endpoints/<uuid:endpoint_id>/keys/", api.KeyListView.as_view(), name="api-endpoint-keys"),
    path("endpoints/<uuid:endpoint_id>/keys/<uuid:key_id>/", api.KeyDetailView.as_view(), name="api-endpoint-key"),
    path("deployments/<uuid:deployment_id>/", api.DeploymentDetailView.as_view(), name="api-deployment"),
    path(
        "deployments/<uuid:deployment_id>/differences/<uuid:other_id>/",
        differences_api.DeploymentDifferencesView.as_view(),
        name="api-deployment-differences",
    ),
]
page_urlpatterns: list[URLPattern] = [
    path("endpoints/", views.EndpointsView.as_view(), name="endpoints"),
    path("projects/<uuid:project_id>/endpoints/", views.ProjectEndpointsView.as_view(), name="project-endpoints"),
    path("projects/<uuid:project_id>/endpoints/new/", views.EndpointCreateView.as_view(), name="endpoint-create"),
    path(_ENDPOINT, views.EndpointView.as_view(), name="endpoint"),
    path(f"{_ENDPOINT}serving/", views.EndpointServingView.as_view(), name="endpoint-serving"),
    path(f"{_ENDPOINT}deploy/", action_views.DeployView.as_view(), name="endpoint-deploy"),
    path(f"{_ENDPOINT}graph/", graph_views.GraphView.as_view(), name="endpoint-graph"),
    path(f"{_ENDPOINT}graph/deploy/", graph_views.GraphDeployView.as_view(), name="endpoint-graph-deploy"),
    path(f"{_ENDPOINT}deployments/", timeline_views.DeploymentsView.as_view(), name="endpoint-deployments"),
    path(
        f"{_ENDPOINT}deployments/differences/",
        timeline_views.DeploymentDifferencesView.as_view(),
        name="endpoint-differences",
    ),
    path(f"{_ENDPOINT}rollback/", action_views.RollbackView.as_view(), name="endpoint-rollback"),
    path(f"{_ENDPOINT}settings/", settings_views.EndpointSettingsView.as_view(), name="endpoint-settings"),
    path(f"{_ENDPOINT}consent/", consent_views.EndpointConsentView.as_view(), name="endpoint-consent"),
    path(f"{_ENDPOINT}routing/", routing_views.RoutingView.as_view(), name="endpoint-routing"),
    path(f"{_ENDPOINT}retire/", retiring_views.RetireView.as_view(), name="endpoint-retire"),
    path(
        f"{_ENDPOINT}deployments/<uuid:deployment_id>/copy/",
        retiring_views.CopyView.as_view(),
        name="endpoint-deployment-copy",
    ),
    path(f"{_ENDPOINT}stop/", action_views.StopView.as_view(), name="endpoint-stop"),
    path(f"{_ENDPOINT}try/", action_views.TryView.as_view(), name="endpoint-try"),
    path(f"{_ENDPOINT}keys/new/", action_views.KeyCreateView.as_view(), name="endpoint-key-create"),
    path(f"{_ENDPOINT}keys/<uuid:key_id>/revoke/", action_views.KeyRevokeView.as_view(), name="endpoint-key-revoke"),
]

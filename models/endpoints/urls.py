"""Addresses of this room."""

from django.urls import URLPattern, path

from models.endpoints import api

api_urlpatterns: list[URLPattern] = [
    path("endpoints/", api.EndpointListView.as_view(), name="api-endpoints"),
    path("projects/<uuid:project_id>/endpoints/", api.ProjectEndpointListView.as_view(), name="api-project-endpoints"),
    path("endpoints/<uuid:endpoint_id>/", api.EndpointDetailView.as_view(), name="api-endpoint"),
    path("endpoints/<uuid:endpoint_id>/replicas/", api.EndpointReplicaListView.as_view(), name="api-endpoint-replicas"),
    path("endpoints/<uuid:endpoint_id>/deployments/", api.DeploymentListView.as_view(), name="api-deployments"),
    path("endpoints/<uuid:endpoint_id>/rollbacks/", api.RollbackView.as_view(), name="api-rollbacks"),
    path("endpoints/<uuid:endpoint_id>/stop/", api.StopView.as_view(), name="api-endpoint-stop"),
    path("endpoints/<uuid:endpoint_id>/keys/", api.KeyListView.as_view(), name="api-endpoint-keys"),
    path("endpoints/<uuid:endpoint_id>/keys/<uuid:key_id>/", api.KeyDetailView.as_view(), name="api-endpoint-key"),
    path("deployments/<uuid:deployment_id>/", api.DeploymentDetailView.as_view(), name="api-deployment"),
]
page_urlpatterns: list[URLPattern] = []

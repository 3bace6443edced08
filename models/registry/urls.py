"""Addresses of this room."""

from django.urls import URLPattern, path

from models.registry import api

api_urlpatterns: list[URLPattern] = [
    path("models/", api.ModelListView.as_view(), name="api-models"),
    path("models/<uuid:model_id>/", api.ModelDetailView.as_view(), name="api-model"),
    path("models/<uuid:model_id>/versions/", api.ModelVersionListView.as_view(), name="api-model-versions"),
    path("models/<uuid:model_id>/aliases/<str:alias>/", api.ModelAliasView.as_view(), name="api-model-alias"),
    path("model-versions/<uuid:version_id>/", api.VersionDetailView.as_view(), name="api-model-version"),
    path("model-versions/<uuid:version_id>/retries/", api.VersionRetryView.as_view(), name="api-model-version-retries"),
    path(
        "model-versions/<uuid:version_id>/lineage/", api.VersionLineageView.as_view(), name="api-model-version-lineage"
    ),
    path("lineage/<uuid:node_id>/", api.LineageNodeView.as_view(), name="api-lineage-node"),
]
page_urlpatterns: list[URLPattern] = []

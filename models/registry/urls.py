"""Addresses of this room."""

from django.urls import URLPattern, path

from models.registry import api, compilation_api, compilation_views, views

_MODEL = "models/<uuid:model_id>/"
_VERSION = "model-versions/<uuid:version_id>/"

api_urlpatterns: list[URLPattern] = [
    path("models/", api.ModelListView.as_view(), name="api-models"),
    path(_MODEL, api.ModelDetailView.as_view(), name="api-model"),
    path(f"{_MODEL}versions/", api.ModelVersionListView.as_view(), name="api-model-versions"),
    path(f"{_MODEL}aliases/<str:alias>/", api.ModelAliasView.as_view(), name="api-model-alias"),
    path(_VERSION, api.VersionDetailView.as_view(), name="api-model-version"),
    path(f"{_VERSION}retries/", api.VersionRetryView.as_view(), name="api-model-version-retries"),
    path(f"{_VERSION}compilations/", compilation_api.CompilationView.as_view(), name="api-model-version-compilations"),
    path(f"{_VERSION}lineage/", api.VersionLineageView.as_view(), name="api-model-version-lineage"),
    path("lineage/<uuid:node_id>/", api.LineageNodeView.as_view(), name="api-lineage-node"),
]
page_urlpatterns: list[URLPattern] = [
    path("models/", views.ModelsView.as_view(), name="models"),
    path("projects/<uuid:project_id>/models/", views.ProjectModelsView.as_view(), name="project-models"),
    path(_MODEL, views.ModelView.as_view(), name="model"),
    path(f"{_MODEL}edit/", views.ModelEditView.as_view(), name="model-edit"),
    path(f"{_MODEL}aliases/", views.ModelAliasSetView.as_view(), name="model-alias-set"),
    path(f"{_MODEL}aliases/<str:alias>/remove/", views.ModelAliasRemoveView.as_view(), name="model-alias-remove"),
    path(_VERSION, views.VersionView.as_view(), name="model-version"),
    path(f"{_VERSION}retry/", views.VersionRetryView.as_view(), name="model-version-retry"),
    path(f"{_VERSION}compilation/", compilation_views.CompilationView.as_view(), name="model-version-compilation"),
    path(f"{_VERSION}compile/", compilation_views.CompileAgainView.as_view(), name="model-version-compile"),
    path("lineage/<uuid:node_id>/", views.LineageNodeView.as_view(), name="lineage-node"),
]

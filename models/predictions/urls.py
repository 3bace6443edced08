"""Addresses of this room."""

from uuid import UUID

from django.urls import URLPattern, path, register_converter

from models.predictions import api, views


class PredictionId:
    """The gateway writes ids without hyphens, the API with them; both lead here."""

    regex = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> UUID:
        """The id in an address."""
        return UUID(value)

    def to_url(self, value: UUID | str) -> str:
        """The id for an address."""
        return str(value)


register_converter(PredictionId, "prediction")

api_urlpatterns: list[URLPattern] = [
    path("endpoints/<uuid:endpoint_id>/predictions/", api.PredictionListView.as_view(), name="api-predictions"),
    path("predictions/<prediction:prediction_id>/", api.PredictionDetailView.as_view(), name="api-prediction"),
]
page_urlpatterns: list[URLPattern] = [
    path("endpoints/<uuid:endpoint_id>/predictions/", views.PredictionsView.as_view(), name="endpoint-predictions"),
    path(
        "endpoints/<uuid:endpoint_id>/predictions/recent/",
        views.RecentPredictionsView.as_view(),
        name="endpoint-recent-predictions",
    ),
    path("predictions/<prediction:prediction_id>/", views.PredictionView.as_view(), name="prediction"),
]

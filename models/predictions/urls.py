"""Addresses of this room."""

from uuid import UUID

from django.urls import URLPattern, path, register_converter

from models.predictions import (
    api,
    evidence_api,
    evidence_views,
    feedback_api,
    feedback_views,
    search_views,
    traffic_api,
    traffic_views,
    views,
)


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

_FEEDBACK = "endpoints/<uuid:endpoint_id>/feedback/"
_PREDICTION = "predictions/<prediction:prediction_id>/"

api_urlpatterns: list[URLPattern] = [
    path("endpoints/<uuid:endpoint_id>/predictions/", api.PredictionListView.as_view(), name="api-predictions"),
    path(
        "endpoints/<uuid:endpoint_id>/predictions/export/",
        api.PredictionExportView.as_view(),
        name="api-predictions-export",
    ),
    path("endpoints/<uuid:endpoint_id>/traffic/", traffic_api.TrafficView.as_view(), name="api-traffic"),
    path("predictions/<prediction:prediction_id>/", api.PredictionDetailView.as_view(), name="api-prediction"),
    path(_FEEDBACK, feedback_api.FeedbackListView.as_view(), name="api-feedback"),
    path(f"{_FEEDBACK}coverage/", feedback_api.FeedbackCoverageView.as_view(), name="api-feedback-coverage"),
    path(f"{_PREDICTION}feedback/", feedback_api.PredictionFeedbackListView.as_view(), name="api-prediction-feedback"),
    path(f"{_PREDICTION}reexecutions/", evidence_api.ReexecutionListView.as_view(), name="api-reexecutions"),
    path(f"{_PREDICTION}receipt/", evidence_api.ReceiptView.as_view(), name="api-receipt"),
    path("reexecutions/<uuid:reexecution_id>/", evidence_api.ReexecutionDetailView.as_view(), name="api-reexecution"),
    path("receipt-keys/", evidence_api.ReceiptKeyListView.as_view(), name="api-receipt-keys"),
]
page_urlpatterns: list[URLPattern] = [
    path(
        "endpoints/<uuid:endpoint_id>/predictions/", search_views.PredictionsView.as_view(), name="endpoint-predictions"
    ),
    path(
        "endpoints/<uuid:endpoint_id>/predictions/export/",
        search_views.PredictionsExportView.as_view(),
        name="endpoint-predictions-export",
    ),
    path(
        "endpoints/<uuid:endpoint_id>/predictions/recent/",
        views.RecentPredictionsView.as_view(),
        name="endpoint-recent-predictions",
    ),
    path("endpoints/<uuid:endpoint_id>/traffic/", traffic_views.TrafficView.as_view(), name="endpoint-traffic"),
    path(
        "endpoints/<uuid:endpoint_id>/traffic/chart/",
        traffic_views.TrafficChartView.as_view(),
        name="endpoint-traffic-chart",
    ),
    path("predictions/<prediction:prediction_id>/", views.PredictionView.as_view(), name="prediction"),
    path(_FEEDBACK, feedback_views.FeedbackView.as_view(), name="endpoint-feedback"),
    path(f"{_FEEDBACK}upload/", feedback_views.FeedbackUploadView.as_view(), name="endpoint-feedback-upload"),
    path(f"{_PREDICTION}truth/", evidence_views.TruthView.as_view(), name="prediction-truth"),
    path(f"{_PREDICTION}reexecutions/", evidence_views.ReexecutionsView.as_view(), name="prediction-reexecutions"),
    path(f"{_PREDICTION}receipt/", evidence_views.ReceiptDownloadView.as_view(), name="prediction-receipt"),
    path("receipt-keys/", evidence_views.ReceiptKeysView.as_view(), name="receipt-keys"),
    path("receipt-keys/file/", evidence_views.ReceiptKeysFileView.as_view(), name="receipt-keys-file"),
]

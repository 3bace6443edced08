"""Addresses of this room."""

from django.urls import URLPattern, path

from models.replays import api, drill_api, drill_views, views

_ENDPOINT = "endpoints/<uuid:endpoint_id>/"
_REPLAY = "replays/<uuid:replay_id>/"

api_urlpatterns: list[URLPattern] = [
    path(f"{_ENDPOINT}replays/", api.ReplayListView.as_view(), name="api-replays"),
    path(f"{_ENDPOINT}replay-policy/", api.ReplayPolicyView.as_view(), name="api-replay-policy"),
    path(_REPLAY, api.ReplayDetailView.as_view(), name="api-replay"),
    path(f"{_REPLAY}cancellation/", api.ReplayCancellationView.as_view(), name="api-replay-cancellation"),
    path(f"{_REPLAY}changes/", api.ReplayChangeListView.as_view(), name="api-replay-changes"),
    path(f"{_ENDPOINT}drills/", drill_api.DrillListView.as_view(), name="api-drills"),
    path(f"{_ENDPOINT}drill-policy/", drill_api.DrillPolicyView.as_view(), name="api-drill-policy"),
    path(f"{_ENDPOINT}drill-alerts/", drill_api.DrillAlertListView.as_view(), name="api-drill-alerts"),
    path(f"{_ENDPOINT}golden-requests/", drill_api.GoldenRequestListView.as_view(), name="api-golden-requests"),
    path("drills/<uuid:drill_id>/", drill_api.DrillDetailView.as_view(), name="api-drill"),
    path("golden-requests/<uuid:golden_id>/", drill_api.GoldenRequestDetailView.as_view(), name="api-golden-request"),
    path(
        "drill-alerts/<uuid:drill_alert_id>/acknowledgement/",
        drill_api.DrillAlertAcknowledgementView.as_view(),
        name="api-drill-alert-acknowledgement",
    ),
]
page_urlpatterns: list[URLPattern] = [
    path(f"{_ENDPOINT}replays/", views.ReplaysView.as_view(), name="endpoint-replays"),
    path(f"{_ENDPOINT}replays/new/", views.ReplayStartView.as_view(), name="replay-start"),
    path(f"{_ENDPOINT}replays/settings/", views.ReplayPolicyView.as_view(), name="replay-policy"),
    path(_REPLAY, views.ReplayView.as_view(), name="replay"),
    path(f"{_REPLAY}cancel/", views.ReplayCancelView.as_view(), name="replay-cancel"),
    path(f"{_REPLAY}state/", views.ReplayStateView.as_view(), name="replay-state"),
    path(f"{_REPLAY}changes/", views.ReplayChangesView.as_view(), name="replay-changes"),
    path(f"{_ENDPOINT}drills/", drill_views.DrillsView.as_view(), name="endpoint-drills"),
    path(f"{_ENDPOINT}drills/proof/", drill_views.ProofView.as_view(), name="endpoint-proof"),
    path(f"{_ENDPOINT}drills/settings/", drill_views.DrillPolicyView.as_view(), name="drill-policy"),
    path(f"{_ENDPOINT}golden-requests/", drill_views.GoldenRequestsView.as_view(), name="golden-requests"),
    path("drills/<uuid:drill_id>/", drill_views.DrillView.as_view(), name="drill"),
    path("golden-requests/<uuid:golden_id>/unpin/", drill_views.UnpinView.as_view(), name="golden-request-unpin"),
    path(
        "drill-alerts/<uuid:drill_alert_id>/acknowledge/",
        drill_views.AcknowledgeView.as_view(),
        name="drill-alert-acknowledge",
    ),
]

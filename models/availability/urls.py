"""Addresses of this room."""

from django.urls import URLPattern, path

from models.availability import api, views

_AVAILABILITY = "endpoints/<uuid:endpoint_id>/availability/"

api_urlpatterns: list[URLPattern] = [
    path(_AVAILABILITY, api.AvailabilityView.as_view(), name="api-endpoint-availability"),
    path(f"{_AVAILABILITY}alerts/", api.AvailabilityAlertListView.as_view(), name="api-endpoint-availability-alerts"),
]
page_urlpatterns: list[URLPattern] = [
    path(_AVAILABILITY, views.AvailabilityView.as_view(), name="endpoint-availability"),
    path(f"{_AVAILABILITY}chart/", views.AvailabilityChartView.as_view(), name="endpoint-availability-chart"),
    path(f"{_AVAILABILITY}alerts/", views.AvailabilityAlertsView.as_view(), name="endpoint-availability-alerts"),
    path(f"{_AVAILABILITY}replicas/", views.ReplicasView.as_view(), name="endpoint-replicas"),
]

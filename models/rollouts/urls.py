"""Addresses of this room."""

from django.urls import URLPattern, path

from models.rollouts import api, views

_ENDPOINT = "endpoints/<uuid:endpoint_id>/rollouts/"
_ROLLOUT = "rollouts/<uuid:rollout_id>/"

api_urlpatterns: list[URLPattern] = [
    path(_ENDPOINT, api.RolloutListView.as_view(), name="api-rollouts"),
    path(_ROLLOUT, api.RolloutDetailView.as_view(), name="api-rollout"),
    path(f"{_ROLLOUT}events/", api.RolloutEventListView.as_view(), name="api-rollout-events"),
    path(f"{_ROLLOUT}comparison/", api.RolloutComparisonView.as_view(), name="api-rollout-comparison"),
    path(f"{_ROLLOUT}pause/", api.RolloutPauseView.as_view(), name="api-rollout-pause"),
    path(f"{_ROLLOUT}resume/", api.RolloutResumeView.as_view(), name="api-rollout-resume"),
    path(f"{_ROLLOUT}advance/", api.RolloutAdvanceView.as_view(), name="api-rollout-advance"),
    path(f"{_ROLLOUT}stop/", api.RolloutStopView.as_view(), name="api-rollout-stop"),
]
page_urlpatterns: list[URLPattern] = [
    path(_ENDPOINT, views.RolloutsView.as_view(), name="endpoint-rollouts"),
    path(f"{_ENDPOINT}new/", views.RolloutStartView.as_view(), name="rollout-start"),
    path(f"{_ENDPOINT}current/", views.CurrentRolloutView.as_view(), name="endpoint-rollout-current"),
    path(_ROLLOUT, views.RolloutView.as_view(), name="rollout"),
    path(f"{_ROLLOUT}state/", views.RolloutStateView.as_view(), name="rollout-state"),
    path(f"{_ROLLOUT}comparison/", views.RolloutComparisonView.as_view(), name="rollout-comparison"),
    path(f"{_ROLLOUT}pause/", views.RolloutPauseView.as_view(), name="rollout-pause"),
    path(f"{_ROLLOUT}resume/", views.RolloutResumeView.as_view(), name="rollout-resume"),
    path(f"{_ROLLOUT}advance/", views.RolloutAdvanceView.as_view(), name="rollout-advance"),
    path(f"{_ROLLOUT}stop/", views.RolloutStopView.as_view(), name="rollout-stop"),
]

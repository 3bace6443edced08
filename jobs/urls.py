"""Addresses of this room."""

from django.urls import URLPattern, path

from jobs import api

api_urlpatterns: list[URLPattern] = [
    path("projects/<uuid:project_id>/jobs/", api.JobListView.as_view(), name="api-project-jobs"),
    path("jobs/<uuid:job_id>/", api.JobDetailView.as_view(), name="api-job"),
    path("jobs/<uuid:job_id>/runs/", api.JobRunListView.as_view(), name="api-job-runs"),
    path("projects/<uuid:project_id>/runs/", api.RunListView.as_view(), name="api-project-runs"),
    path("runs/<uuid:run_id>/", api.RunDetailView.as_view(), name="api-run"),
    path("runs/<uuid:run_id>/cancellation/", api.RunCancellationView.as_view(), name="api-run-cancellation"),
    path("runs/<uuid:run_id>/log/", api.RunLogView.as_view(), name="api-run-log"),
    path("runs/<uuid:run_id>/metrics/", api.RunMetricsView.as_view(), name="api-run-metrics"),
    path("runs/<uuid:run_id>/metrics/history/", api.RunMetricHistoryView.as_view(), name="api-run-metric-history"),
    path("runs/<uuid:run_id>/artifacts/", api.RunArtifactListView.as_view(), name="api-run-artifacts"),
    path("runs/<uuid:run_id>/artifacts/content/", api.RunArtifactView.as_view(), name="api-run-artifact"),
]
page_urlpatterns: list[URLPattern] = []

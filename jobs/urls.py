"""Addresses of this room."""

from django.urls import URLPattern, path

from jobs import api, job_views, run_views
from jobs.pushes import urls as push_urls

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
    *push_urls.api_urlpatterns,
]
page_urlpatterns: list[URLPattern] = [
    path("projects/<uuid:project_id>/jobs/", job_views.JobsView.as_view(), name="project-jobs"),
    path("projects/<uuid:project_id>/jobs/new/", job_views.JobCreateView.as_view(), name="job-create"),
    path("jobs/<uuid:job_id>/", job_views.JobView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/edit/", job_views.JobEditView.as_view(), name="job-edit"),
    path("jobs/<uuid:job_id>/delete/", job_views.JobDeleteView.as_view(), name="job-delete"),
    path("projects/<uuid:project_id>/runs/", run_views.RunsView.as_view(), name="project-runs"),
    path("projects/<uuid:project_id>/runs/new/", run_views.RunStartView.as_view(), name="run-start"),
    path("runs/<uuid:run_id>/", run_views.RunView.as_view(), name="run"),
    path("runs/<uuid:run_id>/state/", run_views.RunStateView.as_view(), name="run-state"),
    path("runs/<uuid:run_id>/log/", run_views.RunLogView.as_view(), name="run-log"),
    path("runs/<uuid:run_id>/chart/", run_views.RunChartView.as_view(), name="run-chart"),
    path("runs/<uuid:run_id>/artifact/", run_views.RunArtifactView.as_view(), name="run-artifact"),
    path("runs/<uuid:run_id>/cancel/", run_views.RunCancelView.as_view(), name="run-cancel"),
    *push_urls.page_urlpatterns,
]

"""Addresses of this room."""

from django.urls import URLPattern, path

from models.batch import api, start_views, views, work_views

_PROJECT = "projects/<uuid:project_id>/"
_JOB = "batch-jobs/<uuid:batch_id>/"

api_urlpatterns: list[URLPattern] = [
    path("batch-jobs/", api.BatchJobListView.as_view(), name="api-batch-jobs"),
    path(f"{_PROJECT}batch-jobs/", api.ProjectBatchJobListView.as_view(), name="api-project-batch-jobs"),
    path(f"{_PROJECT}batch-inputs/", api.BatchInputListView.as_view(), name="api-project-batch-inputs"),
    path(_JOB, api.BatchJobDetailView.as_view(), name="api-batch-job"),
    path(f"{_JOB}chunks/", api.BatchChunkListView.as_view(), name="api-batch-job-chunks"),
    path(f"{_JOB}predictions/", api.BatchPredictionListView.as_view(), name="api-batch-job-predictions"),
    path(f"{_JOB}log/", api.BatchLogView.as_view(), name="api-batch-job-log"),
    path(f"{_JOB}output/", api.BatchOutputView.as_view(), name="api-batch-job-output"),
    path(f"{_JOB}cancellation/", api.BatchCancellationView.as_view(), name="api-batch-job-cancellation"),
    path(f"{_JOB}retries/", api.BatchRetryView.as_view(), name="api-batch-job-retries"),
]
page_urlpatterns: list[URLPattern] = [
    path("batch-jobs/", views.BatchJobsView.as_view(), name="batch-jobs"),
    path(f"{_PROJECT}batch-jobs/", views.ProjectBatchJobsView.as_view(), name="project-batch-jobs"),
    path(f"{_PROJECT}batch-jobs/new/", start_views.BatchStartView.as_view(), name="batch-start"),
    path(_JOB, views.BatchJobView.as_view(), name="batch-job"),
    path(f"{_JOB}state/", views.BatchStateView.as_view(), name="batch-job-state"),
    path(f"{_JOB}log/", views.BatchLogView.as_view(), name="batch-job-log"),
    path(f"{_JOB}output/", views.BatchOutputView.as_view(), name="batch-job-output"),
    path(f"{_JOB}cancel/", views.BatchCancelView.as_view(), name="batch-job-cancel"),
    path(f"{_JOB}retry/", views.BatchRetryView.as_view(), name="batch-job-retry"),
    # What scoring processes ask, with the tokens of their jobs.
    path("scoring/job/", work_views.JobWorkView.as_view(), name="scoring-job"),
    path("scoring/input/", work_views.InputWorkView.as_view(), name="scoring-input"),
    path("scoring/total/", work_views.TotalWorkView.as_view(), name="scoring-total"),
    path("scoring/chunks/<int:number>/", work_views.ChunkWorkView.as_view(), name="scoring-chunk"),
    path("scoring/output/", work_views.OutputWorkView.as_view(), name="scoring-output"),
    path("scoring/end/", work_views.EndWorkView.as_view(), name="scoring-end"),
]

"""Writes of this room: jobs and runs."""

from jobs.services.job_writes import JobChanges, change_job, create_job, delete_job
from jobs.services.manifest_jobs import follow_manifest, sync_jobs
from jobs.services.run_writes import RunRequest, request_cancel, start_run, start_unattended

__all__ = [
    "JobChanges",
    "RunRequest",
    "change_job",
    "create_job",
    "delete_job",
    "follow_manifest",
    "request_cancel",
    "start_run",
    "start_unattended",
    "sync_jobs",
]

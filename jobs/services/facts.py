"""What audit rows say of jobs and runs."""

from __future__ import annotations

from jobs.models import Job, Run
from modelwright.audit.services import Target


def job_target(job: Job) -> Target:
    """The job as an audit row names it."""
    return Target("job", job.pk, job.name)


def run_target(run: Run) -> Target:
    """The run as an audit row names it."""
    return Target("run", run.pk, str(run))


def job_facts(job: Job) -> dict[str, object]:
    """What before and after say of a job."""
    return {
        "name": job.name,
        "script": job.script,
        "arguments": job.arguments,
        "profile": job.profile.name if job.profile else None,
        "image": job.image,
        "timeout_seconds": job.timeout_seconds,
        "retries": job.retries,
        "retry_failed": job.retry_failed,
        "variables": sorted(job.variables),
        "schedule": job.schedule,
        "runs_after": job.runs_after.name if job.runs_after else None,
        "is_active": job.is_active,
        "source": job.source,
    }

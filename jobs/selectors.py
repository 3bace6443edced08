"""What a person may see of jobs and runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from jobs.models import Attempt, Job, Run
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.compute.models import Workload
from modelwright.compute.states import ENDS, WorkloadState
from modelwright.core.crypto import token_digest
from modelwright.core.errors import NotFound, ValidationFailed
from projects.models import Project
from projects.selectors import require_project, visible_projects


def run_of_token(token: str) -> Run | None:
    """The live run whose tracking token this is, None where there is none (any more)."""
    found: Run | None = (
        Run.objects.select_related("project")
        # Each attempt has a token of its own: that of the one before is no run's any more.
        .filter(token_digest=token_digest(token), token_died_at=None)
        .exclude(workload__state__in=ENDS)
        .first()
    )
    return found


def jobs_of(project: Project) -> QuerySet[Job]:
    """The jobs of the project, by name. The caller has required PROJECT_VIEW."""
    return Job.objects.filter(project=project).select_related("profile", "runs_after", "project").order_by("name")


def get_job(viewer: User, job_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Job:
    """A job in whose project the person holds `permission`. Raises NotFound and PermissionRefused."""
    jobs = Job.objects.select_related("profile", "runs_after", "project__workspace")
    job: Job | None = jobs.filter(pk=job_id, project__in=visible_projects(viewer)).first()
    if job is None:
        raise NotFound("There is no such job, or it is not yours to see.", remedy="See the list of the project's jobs.")
    require_project(viewer, permission, job.project)
    return job


def last_runs(jobs: Iterable[Job]) -> dict[UUID, Run]:
    """The newest run of each of the jobs, by the job's id. The caller has required PROJECT_VIEW."""
    newest = _runs().filter(job__in=[job.pk for job in jobs]).order_by("job_id", "-id").distinct("job_id")
    return {run.job_id: run for run in newest if run.job_id is not None}


def _runs() -> QuerySet[Run]:
    return Run.objects.select_related(
        "project__workspace", "job", "workload__host", "workload__environment", "created_by"
    )


def runs_of(project: Project, filters: Mapping[str, Any] | None = None) -> QuerySet[Run]:
    """The runs of the project, newest first; `filters`: `state`, `job` (id or name), `trigger`.

    The caller has required PROJECT_VIEW. Raises ValidationFailed for a filter that cannot be.
    """
    runs = _runs().filter(project=project).order_by("-id")
    given = filters or {}
    if state := given.get("state"):
        if state not in WorkloadState.values:
            raise ValidationFailed(
                f"`state` is {str(state)[:40]!r}.",
                remedy=f"Give one of {', '.join(WorkloadState.values)}.",
                field="state",
            )
        runs = runs.filter(workload__state=state)
    if trigger := given.get("trigger"):
        if trigger not in Run.Trigger.values:
            raise ValidationFailed(
                f"`trigger` is {str(trigger)[:40]!r}.",
                remedy=f"Give one of {', '.join(Run.Trigger.values)}.",
                field="trigger",
            )
        runs = runs.filter(trigger=trigger)
    if job := str(given.get("job") or ""):
        # No name holds a NUL, and PostgreSQL refuses to look for one.
        runs = runs.filter(job_id=job) if _is_id(job) else runs.filter(name=job.replace("\0", "?"))
    return runs


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def attempts_of(run: Run) -> QuerySet[Attempt]:
    """The attempts of the run, the first one first. The caller has required PROJECT_VIEW."""
    return Attempt.objects.filter(run=run).select_related("workload__host").order_by("number")


def attempt_workload(run: Run, number: int | None) -> Workload:
    """The workload of an attempt of the run, of the newest where none is named. Raises NotFound."""
    if number is None or number == run.attempt:
        return run.workload
    found: Attempt | None = attempts_of(run).filter(number=number).first()
    if found is None:
        raise NotFound(
            f"{run} has no attempt {number}.", remedy=f"Give a number from 1 to {run.attempt}.", field="attempt"
        )
    return found.workload


def get_run(viewer: User, run_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Run:
    """A run in whose project the person holds `permission`. Raises NotFound and PermissionRefused."""
    run: Run | None = _runs().filter(pk=run_id, project__in=visible_projects(viewer)).first()
    if run is None:
        raise NotFound("There is no such run, or it is not yours to see.", remedy="See the list of the project's runs.")
    require_project(viewer, permission, run.project)
    return run


def runs_of_workloads(workload_ids: Iterable[UUID]) -> dict[UUID, Run]:
    """The run that each of the workloads is or was an attempt of. The caller may see them all, as auditors may."""
    attempts = Attempt.objects.filter(workload__in=list(workload_ids)).select_related("run__job")
    return {attempt.workload_id: attempt.run for attempt in attempts}

"""Writes to jobs."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

from django.db import transaction

from jobs.models import Job
from jobs.parameters import check_arguments, check_variables
from jobs.schedules import next_times
from jobs.services.facts import job_facts, job_target
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import record
from modelwright.compute.models import ResourceProfile
from modelwright.compute.ready_images import check_image
from modelwright.compute.selectors import profile as profile_by_name
from modelwright.core.errors import NotFound, ValidationFailed
from modelwright.core.etags import check_revision
from modelwright.core.saving import insert, update
from projects.models import Project
from projects.selectors import authorize

MAX_CHAIN = 20


class JobChanges(TypedDict, total=False):
    """What may be changed of a job. `profile` and `runs_after` are names, empty for none."""

    description: str
    script: str
    arguments: list[str]
    profile: str
    image: str
    timeout_seconds: int | None
    retries: int
    retry_failed: bool
    variables: dict[str, str]
    schedule: str
    runs_after: str
    is_active: bool


@transaction.atomic
def create_job(project: Project, *, name: str, acting_user: Actor, **changes: Unpack[JobChanges]) -> Job:
    """Make a job by hand. Raises ValidationFailed, NotFound, Conflict, PermissionRefused."""
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    job = Job(project=project, name=name, source=Job.Source.PERSON, created_by=acting_user.user)
    apply_changes(job, changes)
    insert(job, taken=f"The project {project.name} has a job called {name!r} already.")
    record(
        acting_user=acting_user,
        action=AuditAction.JOB_CREATED,
        target=job_target(job),
        after=job_facts(job),
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
    return job


@transaction.atomic
def change_job(
    job: Job, *, expected_revision: int | None = None, acting_user: Actor, **changes: Unpack[JobChanges]
) -> Job:
    """Change a job. What a person changes of a job of the manifest stays as they left it.

    Raises PreconditionFailed, ValidationFailed, NotFound, PermissionRefused.
    """
    role = authorize(acting_user, Permission.PROJECT_EDIT, job.project)
    job = Job.objects.select_for_update(of=("self",)).select_related("project", "profile", "runs_after").get(pk=job.pk)
    check_revision(job.revision, expected_revision)
    before = job_facts(job)
    apply_changes(job, changes)
    if job_facts(job) == before and "description" not in changes and "variables" not in changes:
        return job
    job.edited = sorted({*job.edited, *changes})
    job.revision += 1
    update(job, [*changes, "edited", "revision", "next_run_at"])
    record(
        acting_user=acting_user,
        action=AuditAction.JOB_CHANGED,
        target=job_target(job),
        before=before,
        after=job_facts(job),
        role=role,
        workspace_id=job.project.workspace_id,
        project_id=job.project_id,
    )
    return job


@transaction.atomic
def delete_job(job: Job, *, acting_user: Actor) -> None:
    """Delete a job; its runs stay. One that still stands in the manifest comes back with the next commit."""
    role = authorize(acting_user, Permission.PROJECT_EDIT, job.project)
    record(
        acting_user=acting_user,
        action=AuditAction.JOB_DELETED,
        target=job_target(job),
        before=job_facts(job),
        role=role,
        workspace_id=job.project.workspace_id,
        project_id=job.project_id,
    )
    job.delete()


def apply_changes(job: Job, changes: JobChanges) -> None:
    """Put the checked changes on the unsaved row. Raises ValidationFailed and NotFound."""
    plain: dict[str, Any] = dict(changes)
    if "arguments" in changes:
        plain["arguments"] = check_arguments(changes["arguments"])
    if "variables" in changes:
        plain["variables"] = check_variables(changes["variables"])
    if "profile" in changes:
        plain["profile"] = _profile(changes["profile"])
    if "image" in changes:
        plain["image"] = check_image(changes["image"])
    if "runs_after" in changes:
        plain["runs_after"] = _predecessor(job, changes["runs_after"])
    for name, value in plain.items():
        setattr(job, name, value)
    if "schedule" in changes or "is_active" in changes:
        job.schedule = " ".join(job.schedule.split())
        job.next_run_at = next_times(job.schedule)[0] if job.schedule and job.is_active else None


def _profile(name: str) -> ResourceProfile | None:
    return profile_by_name(name) if name else None


def _predecessor(job: Job, name: str) -> Job | None:
    """The job of the same project after which this one runs. Raises where that would go round in a circle."""
    if not name:
        return None
    found: Job | None = Job.objects.filter(project=job.project, name=name).select_related("runs_after").first()
    if found is None:
        raise NotFound(
            f"The project has no job called {name[:63]!r}.", remedy="See the list of its jobs.", field="runs_after"
        )
    step: Job | None = found
    for _ in range(MAX_CHAIN):
        if step is None:
            return found
        if step.pk == job.pk:
            raise ValidationFailed(
                f"{name} itself runs after {job.name or 'this job'}, so each would wait for the other.",
                remedy="Choose a job that does not run after this one.",
                field="runs_after",
            )
        step = step.runs_after
    raise ValidationFailed(
        f"More than {MAX_CHAIN} jobs would run one after the other.", remedy="Shorten the chain.", field="runs_after"
    )

"""Jobs that follow the project's manifest."""

from __future__ import annotations

from django.db import transaction

from jobs.models import Job, ManifestSync
from jobs.services.facts import job_facts, job_target
from jobs.services.job_writes import JobChanges, apply_changes
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import record
from modelwright.core.errors import NotFound, PlatformError
from modelwright.core.saving import insert, update
from projects import source
from projects.manifest import RUN, Step, read_manifest
from projects.models import Project
from projects.selectors import authorize

SYSTEM = Actor.system("manifest")


def follow_manifest(project: Project) -> str:
    """Bring the project's jobs up to date with its newest commit, if they are not; return what is wrong with it.

    The platform does this by itself wherever jobs are listed or started: whoever committed the manifest has decided.
    A wrong manifest changes nothing; what is wrong with it is empty otherwise. It is read again each time, as what it
    names (a profile, an image) may be there by now.
    """
    commit = source.head(project) or ""
    known = ManifestSync.objects.filter(project=project).first()
    if known is not None and known.commit == commit and not known.problem:
        return ""
    problem = ""
    try:
        sync_jobs(project, acting_user=SYSTEM)
    except PlatformError as error:
        problem = f"{error.message} {error.remedy}".strip()
    ManifestSync.objects.update_or_create(project=project, defaults={"commit": commit, "problem": problem})
    return problem


@transaction.atomic
def sync_jobs(project: Project, *, acting_user: Actor) -> list[Job]:
    """Make the jobs agree with the `run` steps of the newest commit's manifest; return those jobs in order.

    Doing it twice changes nothing. Fields that a person has changed stay; a job whose step is gone is switched off,
    and a job that a person made under a step's name stays theirs. A project without manifest has no such jobs.
    Raises ValidationFailed where the manifest is wrong, PermissionRefused.
    """
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    # One at a time, so that two commits at once do not both insert.
    Project.objects.select_for_update(of=("self",), no_key=True).get(pk=project.pk)
    try:
        steps = [step for step in read_manifest(project).steps if step.kind == RUN]
    except NotFound:
        steps = []
    jobs = [_sync_step(project, step, acting_user, role) for step in steps]
    gone = Job.objects.filter(project=project, source=Job.Source.MANIFEST, is_active=True)
    for job in gone.exclude(name__in=[step.name for step in steps]):
        _save(job, {"is_active": False}, acting_user, role)
    return jobs


def _sync_step(project: Project, step: Step, acting_user: Actor, role: str) -> Job:
    wanted: JobChanges = {
        "description": step.description,
        "script": step.script,
        "arguments": list(step.arguments),
        "profile": step.profile,
        "timeout_seconds": step.timeout_seconds,
        "image": step.image,
        "retries": step.retries,
        "is_active": True,
    }
    job: Job | None = Job.objects.filter(project=project, name=step.name).select_related("project", "profile").first()
    if job is not None:
        if job.source == Job.Source.MANIFEST:
            _save(job, wanted, acting_user, role)
        return job
    job = Job(project=project, name=step.name, source=Job.Source.MANIFEST, created_by=acting_user.user)
    apply_changes(job, wanted)
    insert(job, taken=f"The project {project.name} has a job called {step.name!r} already.")
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


def _save(job: Job, wanted: JobChanges, acting_user: Actor, role: str) -> None:
    changes: JobChanges = {key: value for key, value in wanted.items() if key not in job.edited}  # type: ignore[assignment]
    before, description = job_facts(job), job.description
    apply_changes(job, changes)
    if job_facts(job) == before and job.description == description:
        return
    job.revision += 1
    update(job, [*changes, "revision", "next_run_at"])
    record(
        acting_user=acting_user,
        action=AuditAction.JOB_CHANGED,
        target=job_target(job),
        before=before,
        after=job_facts(job),
        reason="The project's manifest changed.",
        role=role,
        workspace_id=job.project.workspace_id,
        project_id=job.project_id,
    )

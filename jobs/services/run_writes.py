"""Writes to runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from jobs.dependencies import Snapshot, read_snapshot
from jobs.models import MOST_RETRIES, Attempt, Job, Run
from jobs.parameters import as_arguments, check_arguments, check_parameters
from jobs.quota import check_quota
from jobs.run_environment import RunSecrets, plain_variables, record_run_reads, run_secrets, slug
from jobs.services.facts import run_target
from jobs.services.manifest_jobs import follow_manifest
from jobs.tokens import new_run_token
from jobs.validators import SCRIPT_FORM, validate_script
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import record
from modelwright.compute import services as compute
from modelwright.compute.models import ResourceProfile, Workload
from modelwright.compute.ready_images import check_image
from modelwright.compute.selectors import profile as profile_by_name
from modelwright.core.crypto import token_digest
from modelwright.core.errors import Conflict, NotFound, PlatformError, ValidationFailed
from projects import source
from projects.models import Project
from projects.selectors import authorize
from workspaces.models import Workspace
from workspaces.selectors import allowed_profiles

logger = logging.getLogger(__name__)
Said = TypeVar("Said", int, bool)

DEFAULT_TIMEOUT_SECONDS = 24 * 3600
GRACE_SECONDS = 10.0
# Enough for scikit-learn and MLflow; without it the smallest that there is.
DEFAULT_PROFILE = "medium"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run: a job, or a script of the project with its arguments. `profile` is a name, empty for the default.

    `image` names a ready image in place of an environment made from the requirements; empty is the job's.

    `commit` None is the newest one. `retries` and `retry_failed` None are the job's. Parameters are appended to the
    arguments as `--name value`.
    """

    job: Job | None = None
    script: str = ""
    arguments: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    commit: str | None = None
    profile: str = ""
    image: str = ""
    timeout_seconds: int | None = None
    retries: int | None = None
    retry_failed: bool | None = None
    trigger: str = Run.Trigger.HAND
    after_run: Run | None = None


@transaction.atomic
def start_run(project: Project, request: RunRequest, *, acting_user: Actor) -> Run:
    """Queue a run of a commit: the run, its workload and the audit row in one transaction.

    Its tracking token exists in its environment alone; the database keeps the digest. Raises ValidationFailed,
    NotFound, Conflict (the job is switched off), QuotaExceeded, PermissionRefused.
    """
    role = authorize(acting_user, Permission.RUN_START, project)
    job = request.job
    if job is not None and not job.is_active:
        raise Conflict(f"The job {job.name} is switched off.", remedy="Switch it on, then start it.")
    script = _script(job.script if job else request.script)
    commit = _commit(project, request.commit)
    snapshot = read_snapshot(project, commit)
    if script not in snapshot.files:
        raise NotFound(
            f"There is no file {script} in commit {commit[:10]}.",
            remedy="Commit the script, or correct its path.",
            field="script",
        )
    parameters = check_parameters(request.parameters)
    arguments = check_arguments([*(job.arguments if job else request.arguments), *as_arguments(parameters)])
    size = _profile(request.profile, job, project.workspace)
    check_quota(project.workspace, size)
    token = new_run_token()
    run = Run(
        project=project,
        job=job,
        name=job.name if job else slug(project, script),
        number=_next_number(project),
        commit=commit,
        script=script,
        arguments=arguments,
        parameters=parameters,
        token_digest=token_digest(token),
        trigger=request.trigger,
        after_run=request.after_run,
        created_by=acting_user.user,
        retries=_retries(request),
        retry_failed=_first(request.retry_failed, job.retry_failed if job else None, False),
    )
    plain = plain_variables(run, job.variables if job else {})
    secret = run_secrets(project, plain, token)
    run.workload = _workload(run, request, size, snapshot, plain, secret, acting_user)
    run.save(force_insert=True)
    record_run_reads(run, run.workload, secret.names, attempt=1, acting_user=acting_user)
    Attempt.objects.create(run=run, number=1, workload=run.workload)
    record(
        acting_user=acting_user,
        action=AuditAction.RUN_CREATED,
        target=run_target(run),
        after={
            "script": script,
            "commit": commit,
            "arguments": arguments,
            "parameters": parameters,
            "trigger": request.trigger,
            "retries": run.retries,
        },
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
    return run


@transaction.atomic
def start_unattended(request: RunRequest, job: Job, *, acting_user: Actor) -> bool:
    """Start a run that nobody waits for. Where it cannot be started, the job says why, and False is returned."""
    follow_manifest(job.project)
    job.refresh_from_db()
    try:
        with transaction.atomic():
            start_run(job.project, request, acting_user=acting_user)
            problem = ""
    except PlatformError as error:
        logger.warning("job %s could not be started: %s", job, error.message)
        problem = f"{error.message} {error.remedy}".strip()
    Job.objects.filter(pk=job.pk).exclude(problem=problem).update(problem=problem)
    return not problem


@transaction.atomic
def request_cancel(run: Run, *, reason: str = "", acting_user: Actor) -> Run:
    """Ask the run to end, or not to be tried again. Raises Conflict when it has ended, PermissionRefused."""
    role = authorize(acting_user, Permission.RUN_CANCEL, run.project)
    _hold_newest_attempt(run)
    before = run.state
    cancel = compute.renounce if run.will_retry else compute.request_cancel
    run.workload = cancel(run.workload, acting_user=acting_user, reason=reason)
    record(
        acting_user=acting_user,
        action=AuditAction.RUN_CANCEL_REQUESTED,
        target=run_target(run),
        before={"state": before},
        reason=reason,
        role=role,
        workspace_id=run.project.workspace_id,
        project_id=run.project_id,
    )
    return run


def _hold_newest_attempt(run: Run) -> None:
    """The run as it is now, whose newest attempt nobody ends or follows by another before the transaction is over."""

    def newest() -> UUID:
        run.refresh_from_db(fields=["workload", "attempt"])
        return run.workload_id

    run.workload = compute.hold_newest(newest)


def _retries(request: RunRequest) -> int:
    wanted = _first(request.retries, request.job.retries if request.job else None, 0)
    if not 0 <= wanted <= MOST_RETRIES:
        raise ValidationFailed(
            f"A run cannot be tried again {wanted} times.", remedy=f"Give 0 to {MOST_RETRIES}.", field="retries"
        )
    return wanted


def _first(*values: Said | None) -> Said:
    """The first that is said."""
    return next(value for value in values if value is not None)


def _script(script: str) -> str:
    if not re.match(SCRIPT_FORM, script):
        raise ValidationFailed(f"{script[:100]!r} is no script.", remedy=str(validate_script.message), field="script")
    return script


def _commit(project: Project, wanted: str | None) -> str:
    """The commit's full id; the newest one where none is wanted. Raises NotFound."""
    newest = None if wanted else source.head(project)
    return newest or source.check_commit(project, wanted)


def _next_number(project: Project) -> int:
    """The next number of a run in the project. The project's row stays locked until the caller commits."""
    Project.objects.select_for_update(of=("self",), no_key=True).get(pk=project.pk)
    last: int | None = Run.objects.filter(project=project).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1


def _workload(
    run: Run,
    request: RunRequest,
    size: ResourceProfile,
    snapshot: Snapshot,
    plain: Mapping[str, str],
    secret: RunSecrets,
    acting_user: Actor,
) -> Workload:
    project, job = run.project, run.job
    image = check_image(request.image or (job.image if job else ""))
    timeout = request.timeout_seconds or (job.timeout_seconds if job else None) or DEFAULT_TIMEOUT_SECONDS
    return compute.create_workload(
        kind=Workload.Kind.RUN,
        name=f"{project.name}/{run}",
        command=["{python}", run.script, *run.arguments],
        cpu=size.cpu,
        memory_bytes=size.memory_bytes,
        gpus=size.gpus,
        labels=size.labels,
        timeout_seconds=timeout,
        grace_seconds=GRACE_SECONDS,
        retryable=run.retries > 0,
        image=image,
        environment_request=None
        if image
        else compute.request_environment(
            requirements=snapshot.requirements, kind=snapshot.kind, acting_user=acting_user
        ),
        variables=plain,
        secret_variables=secret.variables,
        secret_files=secret.files,
        masked=secret.masked,
        source={"archive": source.archive(project, run.commit)},
        workspace_id=project.workspace_id,
        project_id=project.pk,
        acting_user=acting_user,
    )


def _profile(name: str, job: Job | None, workspace: Workspace) -> ResourceProfile:
    if name:
        return profile_by_name(name)
    if job is not None and job.profile is not None:
        return job.profile
    allowed = allowed_profiles(workspace)
    usual = allowed.filter(name=DEFAULT_PROFILE).first() or allowed.first()
    if usual is None:
        raise Conflict("There is no size.", remedy="Have an administrator make one.")
    return usual

"""Writes that people ask for: upload a file, start, cancel and retry a batch job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from modelwright_runtime.scoring.tables import WRITTEN

from jobs.quota import check_quota
from models.batch import expiring, transitions
from models.batch.environment import environment_with
from models.batch.facts import audit, masked_of, secrets_of
from models.batch.models import MOST_CHUNK_ROWS, USUAL_CHUNK_ROWS, BatchAttempt, BatchInput, BatchJob, Format
from models.batch.selectors import upload_of
from models.batch.sources import (
    OF_CONNECTION,
    TABLES,
    Found,
    Wanted,
    check_keys,
    check_table,
    find,
    format_of,
    libraries_of,
    store_file,
)
from models.batch.tokens import new_scoring_token
from models.endpoints.models import Endpoint
from models.endpoints.paths import path_of
from models.registry.models import CompiledModel, ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import services as compute
from modelwright.compute.models import ResourceProfile, Workload
from modelwright.compute.selectors import profile as profile_by_name
from modelwright.compute.services.repeating import repeat_workload
from modelwright.core.crypto import token_digest
from modelwright.core.errors import Conflict, ValidationFailed
from modelwright.storage.settings import upload_store
from projects.models import Project
from projects.selectors import authorize
from workspaces.models import Workspace
from workspaces.selectors import allowed_profiles

DEFAULT_PROFILE = "medium"
TIMEOUT_SECONDS = 7 * 24 * 3600
MEMORY_PER_FILE_BYTE = 4


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What to score, with which version, and where to. `profile` is a name, empty for the usual size."""

    model_version: ModelVersion
    source: Wanted
    endpoint: Endpoint | None = None
    key_columns: Sequence[str] = ()
    output_format: str = Format.CSV
    output_table: str = ""
    chunk_rows: int = USUAL_CHUNK_ROWS
    on_error: str = BatchJob.OnError.RECORD
    profile: str = ""


@transaction.atomic
def add_input(
    project: Project, *, name: str, stream: BinaryIO, size: int | None = None, acting_user: Actor
) -> BatchInput:
    """Keep an uploaded file to be scored. Raises ValidationFailed where it is empty, too large or of another format."""
    role = authorize(acting_user, Permission.RUN_START, project)
    expiring.in_use()
    name = name.replace("\\", "/").rpartition("/")[2].strip()[:255]
    kind = format_of(name)
    blob = store_file(stream, size, upload_store())
    made: BatchInput = BatchInput.objects.create(
        project=project, name=name, format=kind, sha256=blob.sha256, size=blob.size, created_by=acting_user.name
    )
    record(
        acting_user=acting_user,
        action=AuditAction.BATCH_INPUT_ADDED,
        target=Target("batch input", made.pk, name),
        after={"name": name, "format": kind, "size": blob.size, "sha256": blob.sha256},
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
    return made


@transaction.atomic
def start(project: Project, request: BatchRequest, *, acting_user: Actor) -> BatchJob:
    """Queue a batch job: the job, its workload and the audit row in one transaction.

    Reading or writing by way of a data connection takes PROJECT_EDIT: it is as much as a script may do. Raises
    ValidationFailed, NotFound, Conflict, QuotaExceeded, PermissionRefused.
    """
    role = authorize(acting_user, Permission.RUN_START, project)
    _check_version(project, request)
    if request.source.kind in OF_CONNECTION:
        role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    expiring.in_use()
    found = find(project, request.source)
    size = _size(request.profile, project.workspace)
    check_quota(project.workspace, size)
    token = new_scoring_token()
    redacted = list(request.endpoint.redacted_columns) if request.endpoint else []
    job = BatchJob(
        project=project,
        number=_next_number(project),
        model_version=request.model_version,
        endpoint=request.endpoint,
        source=found.source,
        connection=found.connection,
        key_columns=check_keys([str(key) for key in request.key_columns], found, redacted),
        output_format=_one_of(request.output_format, Format.values, "output_format"),
        output_table=_output_table(request, found, request.key_columns),
        chunk_rows=_chunk_rows(request.chunk_rows),
        on_error=_one_of(request.on_error, BatchJob.OnError.values, "on_error"),
        profile=size,
        token_digest=token_digest(token),
        created_by=acting_user.user,
        actor_name=acting_user.name,
    )
    job.workload = _workload(job, found, size, token, acting_user)
    job.save(force_insert=True)
    BatchAttempt.objects.create(job=job, number=1, workload=job.workload, actor_name=acting_user.name)
    audit(AuditAction.BATCH_CREATED, job, acting_user=acting_user, role=role, after=_facts(job))
    return job


def _facts(job: BatchJob) -> Mapping[str, Any]:
    return {
        "version": str(job.model_version),
        "version_id": str(job.model_version_id),
        "endpoint": job.endpoint.path if job.endpoint else None,
        "source": job.source,
        "key_columns": job.key_columns,
        "output_format": job.output_format,
        "output_table": job.output_table,
        "on_error": job.on_error,
    }


def _check_version(project: Project, request: BatchRequest) -> None:
    version, endpoint = request.model_version, request.endpoint
    if version.model.project_id != project.pk:
        raise ValidationFailed(
            f"{version} is not of the project {project.name}.",
            remedy="Choose a version of a model in this project.",
            field="model_version",
        )
    if version.state != "ready":
        raise Conflict(
            f"{version} is {version.get_state_display().lower()}, not ready.",
            remedy="Wait until it is ready, or choose another version.",
            field="model_version",
        )
    if endpoint is not None and endpoint.project_id != project.pk:
        raise ValidationFailed(
            f"{endpoint.path} is not of the project {project.name}.",
            remedy="Choose an endpoint of this project, or none.",
            field="endpoint",
        )


def _output_table(request: BatchRequest, found: Found, keys: Sequence[str]) -> str:
    if not request.output_table:
        return ""
    if taken := set(keys) & set(WRITTEN):
        raise ValidationFailed(
            f"The key column cannot be called {taken.pop()}: a table gets its predictions in a column of that name.",
            remedy="Rename the column in a query, or leave the table out.",
            field="key_columns",
        )
    if found.source["kind"] not in TABLES:
        raise ValidationFailed(
            "Predictions can be written to a table only where the input is a table or query.",
            remedy="Leave the table out, or score a table of the same connection.",
            field="output_table",
        )
    return check_table(request.output_table, "output_table")


def _chunk_rows(rows: int) -> int:
    if not 1 <= rows <= MOST_CHUNK_ROWS:
        raise ValidationFailed(
            f"A chunk cannot have {rows} rows.", remedy=f"Give 1 to {MOST_CHUNK_ROWS:,}.", field="chunk_rows"
        )
    return rows


def _one_of(value: str, choices: Sequence[str], field: str) -> str:
    if value not in choices:
        raise ValidationFailed(f"{value[:40]!r} is no choice.", remedy=f"Give {' or '.join(choices)}.", field=field)
    return value


def _size(name: str, workspace: Workspace) -> ResourceProfile:
    if name:
        return profile_by_name(name)
    allowed = allowed_profiles(workspace)
    usual = allowed.filter(name=DEFAULT_PROFILE).first() or allowed.first()
    if usual is None:
        raise Conflict("There is no size.", remedy="Have an administrator make one.", field="profile")
    return usual


def _next_number(project: Project) -> int:
    """The project's row stays locked until the caller commits."""
    Project.objects.select_for_update(of=("self",), no_key=True).get(pk=project.pk)
    last: int | None = BatchJob.objects.filter(project=project).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1


def _workload(job: BatchJob, found: Found, size: ResourceProfile, token: str, acting_user: Actor) -> Workload:
    project, version = job.project, job.model_version
    # As a replica would answer for the endpoint; without one, by the compiled model where it is proved equal.
    compiled = CompiledModel.objects.select_related("environment_request__environment").filter(version=version).first()
    path = path_of(job.endpoint or Endpoint(), version, compiled)
    made = path.compiled
    digest, files = (made.manifest_digest, made.size) if made else (version.manifest_digest, version.size)
    own = made.environment_request if made else version.environment_request
    environment = environment_with(own, libraries_of(job.output_format, found), acting_user=acting_user)
    job.served_by = path.served_by
    return compute.create_workload(
        kind=Workload.Kind.SCORING,
        name=f"{project.name}/{job} of {version}",
        command=[
            *("{python}", "-m", "modelwright_runtime.scoring"),
            *("--compiled" if made else "--model", f"{{model:{digest}}}"),
        ],
        cpu=size.cpu,
        memory_bytes=size.memory_bytes + MEMORY_PER_FILE_BYTE * files,
        gpus=size.gpus,
        labels=size.labels,
        timeout_seconds=TIMEOUT_SECONDS,
        # What is stored stays, so that it may go on on another host.
        retryable=True,
        environment_request=environment,
        variables={"MODELWRIGHT_PLATFORM": "{web}"},
        secret_variables=secrets_of(job, token),
        masked=masked_of(job, token),
        models=[digest],
        workspace_id=project.workspace_id,
        project_id=project.pk,
        acting_user=acting_user,
    )


@transaction.atomic
def cancel(job: BatchJob, *, reason: str = "", acting_user: Actor) -> BatchJob:
    """End the job; what is stored stays. Raises Conflict when it is over, PermissionRefused."""
    role = authorize(acting_user, Permission.RUN_CANCEL, job.project)
    _hold_newest_attempt(job)
    before = job.state
    if not transitions.cancel(job, detail=f"Cancelled by {acting_user.name}. {reason}".strip()):
        job.refresh_from_db(fields=["state"])
        raise Conflict(f"{job} is over: it {job.state}.".capitalize(), remedy="There is nothing to cancel.")
    if not job.workload.is_ended:
        compute.request_cancel(job.workload, acting_user=acting_user, reason=reason)
    audit(
        AuditAction.BATCH_CANCELLED,
        job,
        acting_user=acting_user,
        role=role,
        before={"state": before},
        after={"rows_done": job.rows_done},
        reason=reason,
    )
    job.refresh_from_db()
    return job


def _hold_newest_attempt(job: BatchJob) -> None:
    """The job as it is now, whose newest attempt nobody ends or follows by another before the transaction is over."""

    def newest() -> UUID:
        job.refresh_from_db(fields=["state", "workload", "attempt"])
        return job.workload_id

    job.workload = compute.hold_newest(newest)


@transaction.atomic
def retry(job: BatchJob, *, acting_user: Actor) -> BatchJob:
    """Begin another attempt of a job that failed or was cancelled: it goes on after what is stored.

    Raises Conflict where it is not over or its process still ends, PermissionRefused.
    """
    role = authorize(acting_user, Permission.RUN_START, job.project)
    expiring.in_use()
    upload = upload_of(job)
    if upload is not None and upload.deleted_at is not None:
        raise Conflict(
            f"{upload.name}, which it scored, was deleted on {upload.deleted_at:%Y-%m-%d}.",
            remedy="Upload it again and start a new job.",
        )
    begin_again(job, because=f"{acting_user.name} tried it again.", acting_user=acting_user, role=role)
    job.refresh_from_db()
    return job


@transaction.atomic
def begin_again(job: BatchJob, *, because: str, acting_user: Actor, role: str = "") -> None:
    """The next attempt, with a workload and a token of its own. Raises Conflict. The caller has checked who may."""
    before = Workload.objects.select_for_update(of=("self",)).get(pk=job.workload_id)
    if not before.is_ended:
        raise Conflict(f"The process of attempt {job.attempt} has not ended yet.", remedy="Try again in a few seconds.")
    token = new_scoring_token()
    workload = repeat_workload(
        before,
        secret_variables=secrets_of(job, token),
        masked=masked_of(job, token),
        retryable=True,
        acting_user=acting_user,
    )
    facts = {"workload": workload, "attempt": job.attempt + 1, "token_digest": token_digest(token)}
    if not transitions.queue_again(job, **facts):
        job.refresh_from_db(fields=["state"])
        raise Conflict(
            f"It {'has succeeded' if job.state == 'succeeded' else 'is ' + job.state} already.",
            remedy="Reload the page; start a new job to score it anew.",
        )
    compute.mark_collected(before)
    request = before.environment_request
    if request is not None and request.state == "failed":
        # It is built again; the new attempt waits for it.
        compute.request_environment(
            requirements=request.requirements,
            kind=request.kind,
            python=request.python_version,
            acting_user=acting_user,
        )
    BatchAttempt.objects.create(
        job=job, number=job.attempt + 1, workload=workload, because=because, actor_name=acting_user.name
    )
    audit(
        AuditAction.BATCH_RETRIED,
        job,
        acting_user=acting_user,
        role=role,
        before={"attempt": job.attempt, "state": before.state, "rows_done": job.rows_done},
        after={"attempt": job.attempt + 1},
        reason=because,
    )

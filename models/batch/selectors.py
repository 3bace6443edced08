"""What a person may see of batch jobs: those of the projects that they may see; and what a token opens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from models.batch.models import BatchAttempt, BatchChunk, BatchInput, BatchJob
from models.batch.states import LIVE, BatchState
from models.batch.tokens import PREFIX
from models.predictions.models import Prediction
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.compute.models import Workload
from modelwright.core.crypto import token_digest
from modelwright.core.errors import NotFound, ValidationFailed
from projects.models import Project
from projects.selectors import require_project, visible_projects

_WITH = ("project__workspace", "model_version__model", "endpoint__workspace", "workload__host", "created_by")


def batch_jobs(viewer: User, *, project: Project | None = None) -> QuerySet[BatchJob]:
    """Batch jobs of all projects that the person may see, or of one; newest first."""
    found: QuerySet[BatchJob] = BatchJob.objects.select_related(*_WITH)
    found = found.filter(project__in=visible_projects(viewer).order_by().values("pk"))
    return (found.filter(project=project) if project is not None else found).order_by("-id")


def narrowed(found: QuerySet[BatchJob], params: Mapping[str, Any]) -> QuerySet[BatchJob]:
    """Those with the `state` and the `version` that a request asks for. Raises ValidationFailed."""
    if state := params.get("state"):
        if state not in BatchState.values:
            raise ValidationFailed(
                f"`state` is {state[:40]!r}.", remedy=f"Give one of {', '.join(BatchState.values)}.", field="state"
            )
        found = found.filter(state=state)
    if version := params.get("version"):
        try:
            found = found.filter(model_version=UUID(version))
        except ValueError:
            raise ValidationFailed(
                f"`version` is {version[:60]!r}.", remedy="Give the id of a model version.", field="version"
            ) from None
    return found


def get_batch_job(viewer: User, batch_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> BatchJob:
    """A batch job in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    job = batch_jobs(viewer).filter(pk=batch_id).first()
    if job is None:
        raise NotFound("There is no such batch job, or it is not yours to see.", remedy="See the list of batch jobs.")
    require_project(viewer, permission, job.project)
    return job


def inputs_of(project: Project) -> QuerySet[BatchInput]:
    """Files that were uploaded to be scored, newest first. The caller has required PROJECT_VIEW."""
    return BatchInput.objects.filter(project=project).order_by("-id")


def upload_of(job: BatchJob) -> BatchInput | None:
    """The uploaded file that it scores, None where it reads something else. The caller has required PROJECT_VIEW."""
    if job.source["kind"] != "upload":
        return None
    return inputs_of(job.project).filter(pk=job.source["input"]).first()


def chunks_of(job: BatchJob) -> QuerySet[BatchChunk]:
    """What is stored of the job, newest first. The caller has required PROJECT_VIEW."""
    return BatchChunk.objects.filter(job=job).order_by("-id")


def predictions_of(job: BatchJob) -> QuerySet[Prediction]:
    """The predictions of the job, newest first. The caller has required PROJECT_VIEW."""
    return Prediction.objects.filter(deployment_id=job.pk).order_by("-id")


def attempts_of(job: BatchJob) -> QuerySet[BatchAttempt]:
    """The tries of the job, newest first. The caller has required PROJECT_VIEW."""
    return BatchAttempt.objects.filter(job=job).select_related("workload__host").order_by("-number")


def attempt_workload(job: BatchJob, number: int | None) -> Workload:
    """The workload of an attempt, the newest where none is named. Raises NotFound."""
    if number is None or number == job.attempt:
        return job.workload
    found = attempts_of(job).filter(number=number).first()
    if found is None:
        raise NotFound(f"{job} has no attempt {number}.", remedy="See its attempts.")
    return found.workload


def job_of_token(text: str) -> BatchJob | None:
    """The live job that the token is for, None for any other."""
    if not text.startswith(f"{PREFIX}_"):
        return None
    live = BatchJob.objects.filter(token_digest=token_digest(text), token_died_at=None, state__in=LIVE)
    return live.select_related(*_WITH, "connection").first()


def scored_by(workload_ids: Iterable[UUID]) -> dict[UUID, BatchJob]:
    """The job that each of the workloads scores. The caller may see them all, as auditors may."""
    found = BatchAttempt.objects.filter(workload__in=list(workload_ids)).select_related("job__model_version__model")
    return {each.workload_id: each.job for each in found}

"""Pages: batch jobs, and one while it goes on and after."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from jobs.run_views import attempt_of
from lineage.selectors import find as find_node
from models.batch import selectors, services
from models.batch.downloads import output_of
from models.batch.forms import CancelForm
from models.batch.lineage_edges import node_of
from models.batch.models import BatchJob
from models.batch.states import BatchState
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.compute.selectors import read_log
from modelwright.compute.views import log_answer
from modelwright.core.api import SIGNED_IN
from modelwright.core.errors import PlatformError
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import Crumbs
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions

NEWEST_CHUNKS = 10
NEWEST_PREDICTIONS = 5


def batch_crumbs(job: BatchJob, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the job."""
    section = ("Batch", reverse("project-batch-jobs", args=[job.project_id]))
    return project_crumbs(job.project, section, (_title(job), reverse("batch-job", args=[job.pk])), *more)


def _title(job: BatchJob) -> str:
    return f"Batch #{job.number}"


class BatchPage(ProjectPage):
    """A page of one batch job."""

    def job(self, request: HttpRequest, batch_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> BatchJob:
        """The job, in whose project the person holds `permission`."""
        return selectors.get_batch_job(person_of(request), batch_id, permission)

    def may(self, request: HttpRequest, project: Project) -> dict[str, bool]:
        """What of these pages' actions the person may do."""
        held = project_permissions(person_of(request), project)
        return {"may_start": Permission.RUN_START in held, "may_cancel": Permission.RUN_CANCEL in held}


def _listing(request: HttpRequest, project: Project | None = None) -> Listing[BatchJob]:
    columns = [
        Column("Job", "number"),
        *([] if project else [Column("Project", "project", ("project__name",))]),
        Column("State", "state"),
        Column("Version", "version", ("model_version__model__name", "model_version__number")),
        Column("Scored"),
        Column("Rows", "rows", ("rows_done",), numeric=True),
        Column("Failed", "failed", ("rows_failed",), numeric=True),
        Column("Started", "created", "created_at"),
    ]
    filters = [
        Filter("q", "Model, input or person", ("model_version__model__name", "source", "actor_name")),
        Filter("state", "State", ("state",), BatchState.choices),
        Filter("since", "Since", ("created_at",), kind="date"),
    ]
    found = selectors.batch_jobs(person_of(request), project=project)
    return Listing(found, request.GET, columns=columns, filters=filters, default_sort="-created")


class BatchJobsView(BatchPage):
    """Every batch job that one may see."""

    permissions = {"GET": SIGNED_IN}
    template = "batch/batch_jobs.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them over all projects."""
        crumbs = [("Endpoints", reverse("endpoints")), ("Batch jobs", "")]
        return self.page({"listing": _listing(request)}, crumbs=crumbs)


class ProjectBatchJobsView(BatchPage):
    """The batch jobs of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "batch/project_batch_jobs.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id)
        context = {**self.frame(request, project), **self.may(request, project), "listing": _listing(request, project)}
        return self.page(context, crumbs=project_crumbs(project, ("Batch", "")))


class BatchJobView(BatchPage):
    """A batch job: how far it is, what it scores, what came of it."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "batch/batch_job.html"

    def get(self, request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
        """Show it."""
        job = self.job(request, batch_id)
        shown = attempt_of(request) or job.attempt
        text, offset, finished = read_log(selectors.attempt_workload(job, shown))
        context = {
            **self.frame(request, job.project),
            **self.may(request, job.project),
            **_progress(job),
            "title": _title(job),
            "predictions": selectors.predictions_of(job)[:NEWEST_PREDICTIONS],
            "lineage": _lineage(job),
            "upload": selectors.upload_of(job),
            "attempts": selectors.attempts_of(job) if job.attempt > 1 else [],
            "shown": shown,
            "log": text,
            "offset": offset,
            "finished": finished,
        }
        return self.page(context, crumbs=batch_crumbs(job))


def _lineage(job: BatchJob) -> str:
    """The address of what it came from and what came from it, empty before it has begun."""
    spec = node_of(job)
    node = find_node(spec.kind, spec.namespace, spec.name, spec.version_digest, project_id=spec.project_id)
    return reverse("lineage-node", args=[node.pk]) if node else ""


def _progress(job: BatchJob) -> dict[str, Any]:
    return {"job": job, "chunks": selectors.chunks_of(job)[:NEWEST_CHUNKS]}


class BatchStateView(BatchPage):
    """The live part of a job's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "batch/_state.html"

    def get(self, request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
        """Answer the fragment; when the job is over, the whole page is new."""
        job = self.job(request, batch_id)
        response = self.page({**self.may(request, job.project), **_progress(job)})
        if not job.is_live:
            response.headers["HX-Refresh"] = "true"
        return response


class BatchLogView(BatchPage):
    """New lines of the log of an attempt."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
        """Answer what `static/js/live.js` polls."""
        return log_answer(request, selectors.attempt_workload(self.job(request, batch_id), attempt_of(request)))


class BatchOutputView(BatchPage):
    """The output of a job."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
        """Answer it as a download."""
        return output_of(request, self.job(request, batch_id))


class BatchCancelView(BatchPage):
    """End a job before its time."""

    permissions = {"GET": Permission.RUN_CANCEL, "POST": Permission.RUN_CANCEL}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
        """Ask."""
        return self._show(self.job(request, batch_id, Permission.RUN_CANCEL), CancelForm())

    def post(self, request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
        """Cancel it."""
        job = self.job(request, batch_id, Permission.RUN_CANCEL)
        form = CancelForm(request.POST)
        done, status = self.save(form, lambda values: services.cancel(job, **values, acting_user=actor_of(request)))
        if done is None:
            return self._show(job, form, status)
        messages.success(request, f"{_title(job)} is cancelled.")
        return redirect("batch-job", job.pk)

    def _show(self, job: BatchJob, form: CancelForm, status: int = 200) -> HttpResponse:
        context = {
            "title": f"Cancel {_title(job)}",
            "explanation": "Its process is asked to end, and ended by force after five seconds.",
            "consequences": [
                "What is scored so far stays on record.",
                "You can try it again later: it then goes on after what is stored.",
            ],
            "submit": "Cancel the job",
            "cancel_url": reverse("batch-job", args=[job.pk]),
            "danger": True,
            "form": form,
        }
        return self.page(context, crumbs=batch_crumbs(job, ("Cancel", "")), status=status)


class BatchRetryView(BatchPage):
    """Another attempt of a job."""

    permissions = {"POST": Permission.RUN_START}

    def post(self, request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
        """Go on after what is stored."""
        job = self.job(request, batch_id, Permission.RUN_START)
        try:
            services.retry(job, acting_user=actor_of(request))
        except PlatformError as error:
            messages.error(request, f"{error.message} {error.remedy}")
        else:
            messages.success(request, f"{_title(job)} goes on after row {job.rows_done:,}.")
        return redirect("batch-job", job.pk)

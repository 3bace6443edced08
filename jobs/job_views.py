"""Pages: the jobs of a project, and one job with its schedule and a form to start it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from jobs import selectors, services
from jobs.api import trigger_of
from jobs.forms import JobForm, StartForm
from jobs.models import Job, Run
from jobs.schedules import next_times
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.compute.selectors import profiles
from modelwright.core.etags import seen_revision
from modelwright.core.listing import Column, Listing
from modelwright.core.pages import Crumbs
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions
from workspaces.selectors import allowed_profiles

NEXT_TIMES = 5
LAST_RUNS = 10


def job_crumbs(job: Job, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the job."""
    jobs = ("Jobs", reverse("project-jobs", args=[job.project_id]))
    return project_crumbs(job.project, jobs, (job.name, reverse("job", args=[job.pk])), *more)


class JobsView(ProjectPage):
    """The jobs of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "jobs/jobs.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them; those of the manifest are as the newest commit has them."""
        project = self.project(request, project_id)
        problem = services.follow_manifest(project)
        columns = [
            Column("Job", "name"),
            Column("Script", "script"),
            Column("Last run"),
            Column("Schedule", "schedule"),
            Column("Next time", "next", "next_run_at"),
            Column("Start", hidden_label=True),
        ]
        listing = Listing(selectors.jobs_of(project), request.GET, columns=columns, default_sort="created_at")
        context = {
            **self.frame(request, project),
            "listing": listing,
            "last_runs": selectors.last_runs(listing.rows),
            "problem": problem,
            "may_start": Permission.RUN_START in project_permissions(person_of(request), project),
        }
        return self.page(context, crumbs=project_crumbs(project, ("Jobs", "")))


class JobPage(ProjectPage):
    """A page of one job."""

    def job(self, request: HttpRequest, job_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Job:
        """The job, in whose project the person holds `permission`."""
        return selectors.get_job(person_of(request), job_id, permission)


class JobView(JobPage):
    """A job: what it runs, when, a form to start it, its last runs."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.RUN_START}
    template = "jobs/job.html"

    def get(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Show it."""
        job = self.job(request, job_id)
        return self._show(request, job, StartForm())

    def post(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Start it."""
        job = self.job(request, job_id, Permission.RUN_START)
        services.follow_manifest(job.project)
        job.refresh_from_db()
        form = StartForm(request.POST)
        actor = actor_of(request)

        def write(values: dict[str, Any]) -> Run:
            asked = services.RunRequest(
                job=job,
                parameters=values["parameters"],
                commit=values["commit"] or None,
                trigger=trigger_of(actor),
            )
            return services.start_run(job.project, asked, acting_user=actor)

        run, status = self.save(form, write)
        if run is None:
            return self._show(request, job, form, status)
        return redirect("run", run.pk)

    def _show(self, request: HttpRequest, job: Job, form: StartForm, status: int = 200) -> HttpResponse:
        held = project_permissions(person_of(request), job.project)
        context = {
            **self.frame(request, job.project),
            "job": job,
            "form": form,
            "next_times": next_times(job.schedule, NEXT_TIMES) if job.next_run_at else [],
            "runs": selectors.runs_of(job.project, {"job": job.pk})[:LAST_RUNS],
            "may_start": Permission.RUN_START in held and job.is_active,
        }
        return self.page(context, crumbs=job_crumbs(job), status=status)


class JobCreateView(ProjectPage):
    """Make a job."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        return self._show(project, JobForm(allowed_profiles(project.workspace), _names(project), is_new=True))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Make it."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        form = JobForm(allowed_profiles(project.workspace), _names(project), request.POST, is_new=True)
        job, status = self.save(
            form, lambda values: services.create_job(project, **JobForm.changes(values), acting_user=actor_of(request))
        )
        if job is None:
            return self._show(project, form, status)
        messages.success(request, f"The job {job.name} is made.")
        return redirect("job", job.pk)

    def _show(self, project: Project, form: JobForm, status: int = 200) -> HttpResponse:
        back = reverse("project-jobs", args=[project.pk])
        context = {
            "form": form,
            "title": "New job",
            "intro": "A script with its arguments, started by hand, by schedule, or after another job.",
            "submit": "Make the job",
            "cancel_url": back,
        }
        return self.page(context, crumbs=project_crumbs(project, ("Jobs", back), ("New job", "")), status=status)


class JobEditView(JobPage):
    """Change a job."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Show the form."""
        job = self.job(request, job_id, Permission.PROJECT_EDIT)
        return self._show(job, JobForm(profiles(), _names(job.project, job), initial=_present(job)))

    def post(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Change what differs."""
        job = self.job(request, job_id, Permission.PROJECT_EDIT)
        form = JobForm(profiles(), _names(job.project, job), request.POST, initial=_present(job))

        def write(values: dict[str, Any]) -> Job:
            present, wanted = JobForm.changes(_present(job)), JobForm.changes(values)
            changes = {name: value for name, value in wanted.items() if value != present[name]}
            seen = seen_revision(request)
            return services.change_job(job, **changes, expected_revision=seen, acting_user=actor_of(request))

        changed, status = self.save(form, write)
        if changed is None:
            return self._show(job, form, status)
        messages.success(request, "Saved.")
        return redirect("job", job.pk)

    def _show(self, job: Job, form: JobForm, status: int = 200) -> HttpResponse:
        intro = "It stands in the project's manifest. What you change here no longer follows the manifest."
        context = {
            "form": form,
            "title": f"Change {job.name}",
            "intro": intro if job.source == Job.Source.MANIFEST else "",
            "submit": "Save",
            "cancel_url": reverse("job", args=[job.pk]),
            "revision": seen_revision(self.request) or job.revision,
        }
        return self.page(context, crumbs=job_crumbs(job, ("Change", "")), status=status)


def _present(job: Job) -> dict[str, Any]:
    """The job's values as the form shows them."""
    return {
        "description": job.description,
        "script": job.script,
        "arguments": job.arguments,
        "variables": job.variables,
        "image": job.image,
        "retries": job.retries,
        "retry_failed": job.retry_failed,
        "timeout_minutes": None if job.timeout_seconds is None else job.timeout_seconds / 60,
        "schedule": job.schedule,
        "is_active": job.is_active,
        "profile": job.profile.name if job.profile else "",
        "runs_after": job.runs_after.name if job.runs_after else "",
    }


def _names(project: Project, but: Job | None = None) -> list[str]:
    return [job.name for job in selectors.jobs_of(project) if but is None or job.pk != but.pk]


class JobDeleteView(JobPage):
    """Delete a job."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Ask."""
        job = self.job(request, job_id, Permission.PROJECT_EDIT)
        consequences = ["Its runs stay, with everything that they logged."]
        if job.source == Job.Source.MANIFEST:
            consequences.append(
                "It stands in the manifest: the next commit brings it back unless you take it out there."
            )
        context = {
            "title": f"Delete {job.name}",
            "explanation": "The job goes, with its schedule.",
            "consequences": consequences,
            "submit": "Delete the job",
            "cancel_url": reverse("job", args=[job.pk]),
            "danger": True,
        }
        return self.page(context, crumbs=job_crumbs(job, ("Delete", "")))

    def post(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Delete it."""
        job = self.job(request, job_id, Permission.PROJECT_EDIT)
        services.delete_job(job, acting_user=actor_of(request))
        messages.success(request, f"The job {job.name} is deleted.")
        return redirect("project-jobs", job.project_id)

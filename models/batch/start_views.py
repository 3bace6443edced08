"""Pages: start a batch job, by a form for each kind of source."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.batch import services
from models.batch.forms import SOURCES, BatchForm, DatabaseForm, RemoteFileForm, RepositoryForm, UploadForm
from models.batch.models import BatchJob
from models.batch.sources import Wanted
from models.batch.views import BatchPage
from models.endpoints.selectors import endpoints, versions_ready
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from projects.models import Project
from projects.navigation import project_crumbs
from workspaces.models import DataConnection
from workspaces.selectors import allowed_profiles, data_connections


class BatchStartView(BatchPage):
    """Start a batch job; `?source=` names the kind of input and `?version=` a version."""

    permissions = {"GET": Permission.RUN_START, "POST": Permission.RUN_START}
    template = "batch/start.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, Permission.RUN_START)
        return self._show(request, project, self._form(request, project))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Start it."""
        project = self.project(request, project_id, Permission.RUN_START)
        form = self._form(request, project, request.POST, request.FILES)
        job, status = self.save(form, lambda values: self._start(request, project, form, values))
        if job is None:
            return self._show(request, project, form, status)
        messages.success(request, f"Batch #{job.number} is queued.")
        return redirect("batch-job", job.pk)

    def _start(self, request: HttpRequest, project: Project, form: BatchForm, values: dict[str, Any]) -> BatchJob:
        person, actor = person_of(request), actor_of(request)
        version = versions_ready(project).get(pk=values["model_version"])
        endpoint = endpoints(person, project=project).get(pk=values["endpoint"]) if values["endpoint"] else None
        if isinstance(form, UploadForm):
            file = values["file"]
            made = services.add_input(project, name=file.name, stream=file.file, size=file.size, acting_user=actor)
            wanted = Wanted("upload", input=made.pk)
        else:
            wanted = form.wanted()
        asked = services.BatchRequest(
            model_version=version,
            source=wanted,
            endpoint=endpoint,
            key_columns=form.keys(),
            output_format=values["output_format"],
            output_table=values.get("output_table", ""),
            chunk_rows=values["chunk_rows"],
            on_error=values["on_error"],
            profile=values["profile"],
        )
        return services.start(project, asked, acting_user=actor)

    def _form(self, request: HttpRequest, project: Project, *given: Any) -> BatchForm:
        choices: tuple[Any, ...] = (
            versions_ready(project)[:200],
            endpoints(person_of(request), project=project)[:200],
            allowed_profiles(project.workspace),
        )
        initial = {"model_version": request.GET.get("version", "")[:36], "path": request.GET.get("path", "")[:500]}
        kind, connections = self._kind(request), data_connections(project.workspace)
        if kind == "database":
            found = connections.filter(kind=DataConnection.Kind.POSTGRESQL)
            return DatabaseForm(found, *choices, *given, initial=initial)
        if kind == "file":
            found = connections.exclude(kind=DataConnection.Kind.POSTGRESQL)
            return RemoteFileForm(found, *choices, *given, initial=initial)
        form = RepositoryForm if kind == "repository" else UploadForm
        return cast(BatchForm, form(*choices, *given, initial=initial))

    @staticmethod
    def _kind(request: HttpRequest) -> str:
        given = request.GET.get("source", "")
        return given if given in dict(SOURCES) else SOURCES[0][0]

    def _show(self, request: HttpRequest, project: Project, form: BatchForm, status: int = 200) -> HttpResponse:
        kind = self._kind(request)
        address = reverse("batch-start", args=[project.pk])
        version = request.GET.get("version", "")[:36]
        more = f"&version={version}" if version.replace("-", "").isalnum() else ""
        context = {
            **self.frame(request, project),
            "form": form,
            "source_tabs": [(label, f"{address}?source={name}{more}", name == kind) for name, label in SOURCES],
            "has_versions": versions_ready(project).exists(),
            "has_connections": "connection" not in form.fields or bool(form.fields["connection"].choices),  # type: ignore[attr-defined]
            "is_database": kind == "database",
            "action": f"{address}?source={kind}",
            "cancel_url": reverse("project-batch-jobs", args=[project.pk]),
        }
        crumbs = project_crumbs(project, ("Batch", str(context["cancel_url"])), ("New batch job", ""))
        return self.page(context, crumbs=crumbs, status=status)

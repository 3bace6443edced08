"""Pages: the projects of a workspace, a new one, and the overview of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.errors import NotFound, PlatformError
from modelwright.core.etags import seen_revision
from modelwright.core.listing import Column, Filter, Listing
from projects import selectors, services, source
from projects.forms import DescriptionForm, ProjectForm
from projects.manifest import read_manifest
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.prototypes import get_prototype, list_prototypes
from workspaces.models import Workspace
from workspaces.pages import WorkspacePage, workspace_crumbs

README = "README.md"
MAX_README_BYTES = 100_000


class WorkspaceView(WorkspacePage):
    """A workspace: its projects."""

    permissions = {"GET": Permission.WORKSPACE_VIEW}
    template = "projects/projects.html"
    section = "workspace"

    def get(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """List the projects that the person may see."""
        workspace = self.workspace(request, workspace_id)
        columns = [
            Column("Project", "name"),
            Column("Description", "description"),
            Column("Started from", "prototype"),
            Column("Made", "created", "created_at"),
        ]
        filters = [Filter("q", "Name or description", ("name", "description"))]
        projects = selectors.visible_projects(person_of(request), workspace)
        listing = Listing(projects, request.GET, columns=columns, filters=filters, default_sort="-created")
        context = {**self.frame(request, workspace), "listing": listing}
        return self.page(context, crumbs=workspace_crumbs(workspace))


class ProjectCreateView(WorkspacePage):
    """Make a project: choose a prototype, or none, and name it. `?prototype=` names the choice, `blank` for none."""

    permissions = {"GET": Permission.PROJECT_CREATE, "POST": Permission.PROJECT_CREATE}
    template = "projects/project_new.html"

    def get(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Show the gallery or, where a choice is made, the form."""
        workspace = self.workspace(request, workspace_id, Permission.PROJECT_CREATE)
        choice = request.GET.get("prototype", "")
        if not choice:
            context = {"workspace": workspace, "prototypes": list_prototypes()}
            return self.page(context, crumbs=self._crumbs(workspace), template="projects/gallery.html")
        initial = {} if choice == "blank" else {"name": choice}
        return self._show(workspace, choice, ProjectForm(initial=initial))

    def post(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Make it."""
        workspace = self.workspace(request, workspace_id, Permission.PROJECT_CREATE)
        choice = request.GET.get("prototype", "blank")
        form = ProjectForm(request.POST)

        def write(values: dict[str, Any]) -> Project:
            prototype = "" if choice == "blank" else choice
            return services.create_project(workspace, prototype=prototype, **values, acting_user=actor_of(request))

        made, status = self.save(form, write)
        if made is None:
            return self._show(workspace, choice, form, status)
        messages.success(request, f"The project {made.name} is made.")
        return redirect("project", made.pk)

    def _show(self, workspace: Workspace, choice: str, form: ProjectForm, status: int = 200) -> HttpResponse:
        prototype = None if choice == "blank" else get_prototype(choice)
        context = {
            "workspace": workspace,
            "prototype": prototype,
            "form": form,
            "cancel_url": reverse("project-create", args=[workspace.pk]),
        }
        return self.page(context, crumbs=self._crumbs(workspace), status=status)

    def _crumbs(self, workspace: Workspace) -> list[tuple[str, str]]:
        return workspace_crumbs(workspace, ("New project", ""))


class ProjectView(ProjectPage):
    """A project: its steps, its report, its newest commit."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "projects/project.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show it."""
        project = self.project(request, project_id)
        commits = source.history(project, limit=1)
        context: dict[str, Any] = {**self.frame(request, project), "commit": commits[0] if commits else None}
        try:
            context["manifest"] = read_manifest(project)
        except PlatformError as error:
            context["manifest_error"] = error
        context["readme"] = _readme(project)
        return self.page(context, crumbs=project_crumbs(project))


class ProjectEditView(ProjectPage):
    """Change what is said of a project."""

    permissions = {"GET": Permission.PROJECT_MANAGE, "POST": Permission.PROJECT_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        return self._show(project, DescriptionForm(initial={"description": project.description}))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Change it."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        form = DescriptionForm(request.POST)
        changed, status = self.save(
            form,
            lambda values: services.change_project(
                project, **values, expected_revision=seen_revision(request), acting_user=actor_of(request)
            ),
        )
        if changed is None:
            return self._show(project, form, status)
        messages.success(request, "Saved.")
        return redirect("project", project.pk)

    def _show(self, project: Project, form: DescriptionForm, status: int = 200) -> HttpResponse:
        back = reverse("project", args=[project.pk])
        revision = seen_revision(self.request) or project.revision
        title = f"Describe {project.name}"
        context = {"form": form, "title": title, "submit": "Save", "cancel_url": back, "revision": revision}
        return self.page(context, crumbs=project_crumbs(project, ("Describe", "")), status=status)


def _readme(project: Project) -> source.FileContent | None:
    """The beginning of the README, None where there is none."""
    try:
        commit = source.check_commit(project, None)
        return source.read_file(project, commit, README, MAX_README_BYTES)
    except NotFound:
        return None

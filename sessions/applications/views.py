"""Pages: the applications of a project, and one application."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.compute.selectors import read_log
from modelwright.compute.views import log_answer
from modelwright.core.errors import NotFound, PlatformError
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import Crumbs
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions
from projects.source.incoming import references
from sessions.applications import selectors, services
from sessions.applications.forms import ApplicationForm
from sessions.applications.models import Application
from sessions.applications.services import ApplicationRequest
from sessions.applications.starting import url_of
from sessions.selectors import can_run
from workspaces.selectors import allowed_profiles

_HEADS = "refs/heads/"


def _crumbs(application: Application, *more: tuple[str, str]) -> Crumbs:
    listed = ("Applications", reverse("project-applications", args=[application.project_id]))
    return project_crumbs(
        application.project, listed, (application.name, reverse("application", args=[application.pk])), *more
    )


class ApplicationsView(ProjectPage):
    """The applications of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "applications/applications.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id)
        columns = [
            Column("Application", "name"),
            Column("Health"),
            Column("Command"),
            Column("Who gets in"),
            Column("By", "by", "created_by__username"),
            Column("Made", "made", "created_at"),
        ]
        filters = [Filter("q", "Name or command", ("name", "command"))]
        listing = Listing(
            selectors.applications_of(project), request.GET, columns=columns, filters=filters, default_sort="name"
        )
        context = {**self.frame(request, project), "listing": listing, "can_run": can_run()}
        return self.page(context, crumbs=project_crumbs(project, ("Applications", "")))


class ApplicationCreateView(ProjectPage):
    """Make an application."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        return self._show(project, self._form(project))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Make it."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        form = self._form(project, request.POST)

        def write(values: dict[str, Any]) -> Application:
            return services.create_application(project, ApplicationRequest(**values), acting_user=actor_of(request))

        made, status = self.save(form, write)
        if made is None:
            return self._show(project, form, status)
        return redirect("application", made.pk)

    def _form(self, project: Project, *args: Any) -> ApplicationForm:
        branches = sorted(name.removeprefix(_HEADS) for name in references(project) if name.startswith(_HEADS))
        return ApplicationForm(branches, allowed_profiles(project.workspace), *args)

    def _show(self, project: Project, form: ApplicationForm, status: int = 200) -> HttpResponse:
        back = reverse("project-applications", args=[project.pk])
        context = {
            "form": form,
            "title": "New application",
            "intro": "A web server of the project's files and libraries, which runs until it is stopped.",
            "submit": "Make it",
            "cancel_url": back,
        }
        crumbs = project_crumbs(project, ("Applications", back), ("New", ""))
        return self.page(context, crumbs=crumbs, status=status)


class ApplicationPage(ProjectPage):
    """A page of one application."""

    def application(
        self, request: HttpRequest, application_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> Application:
        """The application, in whose project the person holds `permission`."""
        return selectors.get_application(person_of(request), application_id, permission)


class ApplicationView(ApplicationPage):
    """An application: its health, where it is, its log."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "applications/application.html"

    def get(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Show it."""
        application = self.application(request, application_id)
        text, offset, finished = read_log(application.workload) if application.workload else ("", 0, True)
        held = project_permissions(person_of(request), application.project)
        context = {
            **self.frame(request, application.project),
            "application": application,
            "workload": application.workload,
            "address": url_of(application),
            "log": text,
            "offset": offset,
            "finished": finished,
            "may_show": Permission.WORKSPACE_MANAGE in held,
            "may_let_in": Permission.PROJECT_MANAGE in held,
            "may_enter": selectors.may_enter(person_of(request), application),
        }
        return self.page(context, crumbs=_crumbs(application))


class ApplicationStateView(ApplicationPage):
    """The part that changes while it goes on."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "applications/_state.html"

    def get(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Answer the fragment; the whole page is read again when its health changes."""
        application = self.application(request, application_id)
        response = self.page({"application": application, "workload": application.workload})
        if application.health != request.GET.get("seen", application.health):
            response.headers["HX-Refresh"] = "true"
        return response


class ApplicationLogView(ApplicationPage):
    """New lines of an application's log."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Answer what `static/js/live.js` polls."""
        application = self.application(request, application_id)
        if application.workload is None:
            raise NotFound("It has not been started yet.", remedy="Wait a moment.")
        return log_answer(request, application.workload)


class ApplicationDeleteView(ApplicationPage):
    """Delete an application."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Ask."""
        application = self.application(request, application_id, Permission.PROJECT_EDIT)
        context = {
            "title": f"Delete the application {application.name}",
            "explanation": "It ends, and its address leads nowhere any more. This cannot be undone.",
            "submit": "Delete the application",
            "cancel_url": reverse("application", args=[application.pk]),
            "danger": True,
        }
        return self.page(context, crumbs=_crumbs(application, ("Delete", "")))

    def post(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Delete it."""
        application = self.application(request, application_id, Permission.PROJECT_EDIT)
        services.delete_application(application, acting_user=actor_of(request))
        messages.success(request, f"The application {application.name} is deleted.")
        return redirect("project-applications", application.project_id)


class ApplicationActView(ApplicationPage):
    """Base of what a button of the application's page does: the answer is that page, with what came of it above."""

    permissions = {"POST": Permission.PROJECT_EDIT}
    needs = Permission.PROJECT_EDIT

    def post(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Do it."""
        application = self.application(request, application_id, self.needs)
        try:
            messages.success(request, self.act(request, application))
        except PlatformError as error:
            if error.status in (403, 404):
                raise
            messages.error(request, f"{error.message} {error.remedy}".strip())
        return redirect("application", application.pk)

    def act(self, request: HttpRequest, application: Application) -> str:
        """Do it, and say what was done."""
        raise NotImplementedError


class ApplicationStartView(ApplicationActView):
    """Start it, or start it anew."""

    def act(self, request: HttpRequest, application: Application) -> str:
        """See `services.start_application`."""
        services.start_application(application, acting_user=actor_of(request))
        return "It starts from the newest commit."


class ApplicationStopView(ApplicationActView):
    """Stop it."""

    def act(self, request: HttpRequest, application: Application) -> str:
        """See `services.stop_application`."""
        services.stop_application(application, acting_user=actor_of(request))
        return "It ends, and stays so until somebody starts it."


class EverybodyForm(forms.Form):
    """The answer to whether everybody shall get in."""

    is_public = forms.CharField(widget=forms.HiddenInput, initial="yes")


class ApplicationVisibilityView(ApplicationActView):
    """Let in everybody, or people of the project alone."""

    permissions = {"GET": Permission.WORKSPACE_MANAGE, "POST": Permission.WORKSPACE_MANAGE}
    needs = Permission.WORKSPACE_MANAGE
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, application_id: UUID) -> HttpResponseBase:
        """Ask whether everybody shall get in: what the application shows and can ask is open to them from then on."""
        application = self.application(request, application_id, self.needs)
        context = {
            "title": f"Let everybody into {application.name}",
            "explanation": "Whoever knows its address gets in without signing in, and nobody is on record as having "
            "been there.",
            "consequences": (
                f"The address is {url_of(application)}/.",
                "What the application shows, and what it asks of endpoints, is open to them too.",
                "You can take it back on its page at any time.",
            ),
            "submit": "Let everybody in",
            "form": EverybodyForm(),
            "cancel_url": reverse("application", args=[application.pk]),
            "danger": True,
        }
        return self.page(context, crumbs=_crumbs(application, ("Who gets in", "")))

    def act(self, request: HttpRequest, application: Application) -> str:
        """See `services.set_public`."""
        is_public = request.POST.get("is_public") == "yes"
        services.set_public(application, is_public=is_public, acting_user=actor_of(request))
        return "Everybody who knows the address gets in." if is_public else "Only people of the project get in."


class ApplicationViewersView(ApplicationActView):
    """Let in viewers of the project, or only who may ask its endpoints."""

    permissions = {"POST": Permission.PROJECT_MANAGE}
    needs = Permission.PROJECT_MANAGE

    def act(self, request: HttpRequest, application: Application) -> str:
        """See `services.let_viewers_in`."""
        lets_in = request.POST.get("lets_viewers_in") == "yes"
        services.let_viewers_in(application, lets_viewers_in=lets_in, acting_user=actor_of(request))
        return "Viewers of the project get in as well." if lets_in else "Only operators and above get in."

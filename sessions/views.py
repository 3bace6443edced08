"""Pages: the sessions of a project, and one session."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.compute.ready_images import offered_images
from modelwright.compute.selectors import read_log
from modelwright.compute.states import WorkloadState
from modelwright.compute.views import log_answer
from modelwright.core.listing import Column, Filter, Listing
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions
from projects.source.incoming import references
from sessions import selectors, services
from sessions.forms import CommitForm, StartForm
from sessions.models import Session
from sessions.pages import SessionPage, session_crumbs
from sessions.services import SessionRequest
from sessions.viewing import changes_of
from workspaces.selectors import allowed_profiles

_HEADS = "refs/heads/"
MAX_POINTS = 500
CHART_REFRESH_SECONDS = 30


class SessionsView(ProjectPage):
    """The sessions of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "sessions/sessions.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id)
        columns = [
            Column("Session", "number"),
            Column("State", "state", "workload__state"),
            Column("Of", "owner", "owner__username"),
            Column("Started", "started", "workload__queued_at"),
            Column("Last active", "active", "active_at"),
            Column("Last saved", "saved", "saved_at"),
        ]
        filters = [
            Filter("owner", "Person", ("owner__username",)),
            Filter("state", "State", ("workload__state",), WorkloadState.choices),
        ]
        listing = Listing(
            selectors.sessions_of(project), request.GET, columns=columns, filters=filters, default_sort="-number"
        )
        person = person_of(request)
        context = {
            **self.frame(request, project),
            "listing": listing,
            "may_start": selectors.may_work_in(person, project) and selectors.can_run(),
            "can_run": selectors.can_run(),
            "policy": selectors.policy_of(project),
        }
        return self.page(context, crumbs=project_crumbs(project, ("Sessions", "")))


class SessionStartView(ProjectPage):
    """Start a session."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        return self._show(project, self._form(project))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Start it."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        form = self._form(project, request.POST)

        def write(values: dict[str, Any]) -> Session:
            asked = SessionRequest(**StartForm.asked(values))
            return services.start_session(project, asked, acting_user=actor_of(request))

        session, status = self.save(form, write)
        if session is None:
            return self._show(project, form, status)
        return redirect("session", session.pk)

    def _form(self, project: Project, *args: Any) -> StartForm:
        return StartForm(_branches(project), allowed_profiles(project.workspace), offered_images(), *args)

    def _show(self, project: Project, form: StartForm, status: int = 200) -> HttpResponse:
        back = reverse("project-sessions", args=[project.pk])
        context = {
            "form": form,
            "title": "Start a session",
            "intro": "JupyterLab with a terminal, on a branch of its own, with the project's libraries.",
            "submit": "Start",
            "cancel_url": back,
        }
        return self.page(context, crumbs=project_crumbs(project, ("Sessions", back), ("Start", "")), status=status)


def _branches(project: Project) -> list[str]:
    """The main branch, then the others by name."""
    names = [name.removeprefix(_HEADS) for name in references(project) if name.startswith(_HEADS)]
    return sorted(names, key=lambda name: (name != project.default_branch, name))


class SessionView(SessionPage):
    """A session: how it is, what is not committed, what it uses, its log."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "sessions/session.html"

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Show it."""
        session = self.session(request, session_id)
        person = person_of(request)
        text, offset, finished = read_log(session.workload)
        held = project_permissions(person, session.project)
        changes = changes_of(session)
        may_read = selectors.may_read_commands(person, session)
        context = {
            **self.frame(request, session.project),
            **self.live_facts(request, session),
            "title": f"Session {session.number}",
            "changes": changes,
            "commit_form": CommitForm(initial={"expected": changes["saved"] or ""}),
            "starts": selectors.starts_of(session),
            "commands": selectors.commands_of(session)[:50] if may_read and session.records_commands else None,
            "reads": selectors.reads_of(session)[:50] if may_read else None,
            "log": text,
            "offset": offset,
            "finished": finished,
            "chart_refresh": 0 if session.is_over else CHART_REFRESH_SECONDS,
            "most_mib": settings.GIT_FILE_BYTES // 1024**2,
            "has_samples": selectors.samples_of(session).exists(),
            "may_resume": session.is_over and session.owner_id == person.pk and Permission.RUN_START in held,
            "new_packages": [one for one in session.packages if one not in session.wanted_packages],
        }
        return self.page(context, crumbs=session_crumbs(session))


class SessionStateView(SessionPage):
    """The part that changes while it goes on; the whole page is read again when it is ready, and at its end."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "sessions/_state.html"

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Answer the fragment."""
        session = self.session(request, session_id)
        response = self.page(self.live_facts(request, session))
        seen = request.GET.get("seen", "")
        if session.is_over or (session.is_ready and seen == "starting"):
            response.headers["HX-Refresh"] = "true"
        return response


class SessionLogView(SessionPage):
    """New lines of a session's log."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Answer what `static/js/live.js` polls."""
        return log_answer(request, self.session(request, session_id).workload)


class SessionChartView(SessionPage):
    """What a session used over time."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Answer what `static/js/charts.js` draws: memory with `?what=memory`, else the CPUs in use."""
        session = self.session(request, session_id)
        samples = list(selectors.samples_of(session).order_by("-at")[:MAX_POINTS])[::-1]
        if request.GET.get("what") == "memory":
            points = [(one.at.timestamp(), one.memory_bytes / 1024**2) for one in samples]
            label, unit = "Memory", "MiB"
        else:
            pairs = pairwise(samples)
            points = [
                (b.at.timestamp(), max(0.0, (b.cpu_seconds - a.cpu_seconds) / (b.at - a.at).total_seconds()))
                for a, b in pairs
                if a.workload_id == b.workload_id and b.at > a.at
            ]
            label, unit = "CPU", "CPUs"
        series = [{"label": label, "x": [x for x, _ in points], "y": [y for _, y in points]}]
        return JsonResponse({"x_label": "time", "y_label": unit, "time": True, "series": series})

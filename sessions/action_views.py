"""Pages: what is done with a session."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import PlatformError
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from sessions import selectors, services
from sessions.forms import CommitForm, DeleteForm, PackagesForm, PolicyForm, StopForm
from sessions.models import Session
from sessions.pages import SessionPage, session_crumbs


class SessionStopView(SessionPage):
    """End a session."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Ask."""
        return self._show(self.session(request, session_id, Permission.PROJECT_EDIT), StopForm())

    def post(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Ask it to end."""
        session = self.session(request, session_id, Permission.PROJECT_EDIT)
        form = StopForm(request.POST)
        done, status = self.save(
            form, lambda values: services.request_stop(session, **values, acting_user=actor_of(request))
        )
        if done is None:
            return self._show(session, form, status)
        messages.success(request, f"Session {session.number} is being ended.")
        return redirect("session", session.pk)

    def _show(self, session: Session, form: StopForm, status: int = 200) -> HttpResponse:
        context = {
            "title": f"Stop session {session.number}",
            "explanation": "It saves what is in its tree, then its kernels and terminals end.",
            "consequences": ["What is in the memory of kernels is lost.", "It can be resumed with what was saved."],
            "submit": "Stop the session",
            "cancel_url": reverse("session", args=[session.pk]),
            "danger": True,
            "form": form,
        }
        return self.page(context, crumbs=session_crumbs(session, ("Stop", "")), status=status)


class SessionDeleteView(SessionPage):
    """Delete a session."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Ask."""
        return self._show(self.session(request, session_id, Permission.PROJECT_EDIT), DeleteForm())

    def post(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Delete it."""
        session = self.session(request, session_id, Permission.PROJECT_EDIT)
        form = DeleteForm(request.POST)

        def write(values: dict[str, bool]) -> bool:
            services.delete_session(session, **values, acting_user=actor_of(request))
            return True

        done, status = self.save(form, write)
        if done is None:
            return self._show(session, form, status)
        messages.success(request, f"Session {session.number} is deleted.")
        return redirect("project-sessions", session.project_id)

    def _show(self, session: Session, form: DeleteForm, status: int = 200) -> HttpResponse:
        context = {
            "title": f"Delete session {session.number}",
            "explanation": f"Its branch {session.branch} and what it saved are removed. What was merged stays.",
            "submit": "Delete the session",
            "cancel_url": reverse("session", args=[session.pk]),
            "danger": True,
            "form": form,
        }
        return self.page(context, crumbs=session_crumbs(session, ("Delete", "")), status=status)


class SessionActView(SessionPage):
    """Base of what a button of the session's page does: the answer is that page, with what came of it above."""

    permissions = {"POST": Permission.PROJECT_EDIT}

    def post(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """Do it."""
        session = self.session(request, session_id, Permission.PROJECT_EDIT)
        try:
            messages.success(request, self.act(request, session))
        except PlatformError as error:
            if error.status in (403, 404):
                raise
            messages.error(request, f"{error.message} {error.remedy}".strip())
        return redirect("session", session.pk)

    def act(self, request: HttpRequest, session: Session) -> str:
        """Do it, and say what was done."""
        raise NotImplementedError


class SessionResumeView(SessionActView):
    """Start it again."""

    def act(self, request: HttpRequest, session: Session) -> str:
        """See `services.resume_session`."""
        services.resume_session(session, acting_user=actor_of(request))
        return "The session starts with what was saved."


class SessionCommitView(SessionActView):
    """Commit what was saved."""

    def act(self, request: HttpRequest, session: Session) -> str:
        """See `services.commit_saved`."""
        form = CommitForm(request.POST)
        form.is_valid()
        values = form.cleaned_data
        commit = services.commit_saved(
            session,
            message=values.get("message", ""),
            expected=values.get("expected", ""),
            acting_user=actor_of(request),
        )
        return f"Committed to {session.branch} as {commit[:10]}."


class SessionMergeView(SessionActView):
    """Merge its branch."""

    def act(self, request: HttpRequest, session: Session) -> str:
        """See `services.merge_branch`."""
        commit = services.merge_branch(session, acting_user=actor_of(request))
        return f"{session.branch} is merged: {session.project.default_branch} is at {commit[:10]}."


class SessionPackagesView(SessionActView):
    """Write packages into the requirements."""

    def act(self, request: HttpRequest, session: Session) -> str:
        """See `services.want_packages`."""
        form = PackagesForm(session.packages, request.POST)
        packages = form.cleaned_data["packages"] if form.is_valid() else []
        services.want_packages(session, packages=packages, acting_user=actor_of(request))
        return "The session writes them into requirements.txt within seconds; commit it then."


class SessionPolicyView(ProjectPage):
    """What a project wants of its sessions."""

    permissions = {"GET": Permission.PROJECT_MANAGE, "POST": Permission.PROJECT_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show it."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        stands = selectors.policy_of(project).records_commands
        return self._show(request, project_id, PolicyForm(initial={"records_commands": stands}))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Change it."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        form = PolicyForm(request.POST)
        done, status = self.save(
            form, lambda values: services.set_policy(project, **values, acting_user=actor_of(request))
        )
        if done is None:
            return self._show(request, project_id, form, status)
        messages.success(request, "Saved.")
        return redirect("project-sessions", project.pk)

    def _show(self, request: HttpRequest, project_id: UUID, form: PolicyForm, status: int = 200) -> HttpResponse:
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        back = reverse("project-sessions", args=[project.pk])
        context = {"form": form, "title": "Record of sessions", "submit": "Save", "cancel_url": back}
        return self.page(context, crumbs=project_crumbs(project, ("Sessions", back), ("Record", "")), status=status)

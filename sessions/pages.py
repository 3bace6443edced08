"""What the pages of sessions share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse

from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.pages import Crumbs
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from sessions import selectors
from sessions.models import Session
from sessions.progress import steps


def session_crumbs(session: Session, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the session."""
    listed = ("Sessions", reverse("project-sessions", args=[session.project_id]))
    own = (f"Session {session.number}", reverse("session", args=[session.pk]))
    return project_crumbs(session.project, listed, own, *more)


class SessionPage(ProjectPage):
    """A page of one session."""

    def session(
        self, request: HttpRequest, session_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> Session:
        """The session, in whose project the person holds `permission`."""
        return selectors.get_session(person_of(request), session_id, permission)

    def live_facts(self, request: HttpRequest, session: Session) -> dict[str, Any]:
        """What changes while it goes on."""
        return {
            "session": session,
            "workload": session.workload,
            "is_live": not session.is_over,
            "is_own": session.owner_id == person_of(request).pk,
            "steps": [] if session.is_ready else steps(session),
            "build": selectors.build_of(session),
        }

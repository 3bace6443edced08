"""What can be entered: where it is, and who may."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse

from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target
from modelwright.core.errors import Conflict, PermissionRefused, PlatformError
from projects.models import Project
from sessions.applications.selectors import get_application, may_enter
from sessions.selectors import get_session, may_work_in


@dataclass(frozen=True, slots=True)
class Place:
    """Something with an address of its own. `refusal` says why this person cannot enter it now, None where they can."""

    key: str
    title: str
    path: str
    back: str
    target: Target
    action: AuditAction
    project: Project
    refusal: PlatformError | None


def application_place(viewer: User, application_id: UUID) -> Place:
    """An application of a project that the person sees. Raises NotFound and PermissionRefused."""
    application = get_application(viewer, application_id)
    refusal: PlatformError | None = None
    if not may_enter(viewer, application):
        refusal = PermissionRefused(
            "Your role does not let you use applications of this project.",
            remedy="Ask an administrator of the project to make you an operator.",
        )
    elif not application.is_wanted:
        refusal = Conflict(f"The application {application.name} is stopped.", remedy="Have somebody start it.")
    elif not application.is_live or application.ready_at is None:
        refusal = Conflict(f"The application {application.name} is starting.", remedy="Its page says when it answers.")
    return Place(
        key=application.key,
        title=f"application {application.name}",
        path="/",
        back=reverse("application", args=[application.pk]),
        target=Target("application", application.pk, application.name),
        action=AuditAction.APPLICATION_ENTERED,
        project=application.project,
        refusal=refusal,
    )


def session_place(viewer: User, session_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Place:
    """A session in whose project the person holds `permission`. Raises NotFound and PermissionRefused."""
    session = get_session(viewer, session_id, permission)
    refusal: PlatformError | None = None
    if session.owner_id != viewer.pk:
        refusal = Conflict(
            f"Session {session.number} works with the rights of {session.owner.username}, so only they may enter it.",
            remedy="Start a session of your own from the same branch.",
        )
    elif not may_work_in(viewer, session.project):
        refusal = PermissionRefused(
            "Your role does not let you work in sessions of this project.",
            remedy="Ask an administrator of the project.",
        )
    elif session.is_over:
        refusal = Conflict(f"Session {session.number} has ended.", remedy="Resume it on its page.")
    elif not session.is_ready:
        refusal = Conflict(f"Session {session.number} is starting.", remedy="Its page says when it is ready.")
    return Place(
        key=session.key,
        title=f"session {session.number}",
        path="/lab",
        back=reverse("session", args=[session.pk]),
        target=Target("session", session.pk, f"{session.project.name} {session.number}"),
        action=AuditAction.SESSION_ENTERED,
        project=session.project,
        refusal=refusal,
    )

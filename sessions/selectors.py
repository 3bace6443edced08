"""What a person may see of sessions, and whom the token of a session stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.compute.models import Host, Workload
from modelwright.compute.states import ENDS, WorkloadState
from modelwright.core.crypto import token_digest
from modelwright.core.errors import NotFound, ValidationFailed
from projects.models import Project
from projects.selectors import project_permissions, require_project, visible_projects
from sessions.models import Session, SessionCommand, SessionPolicy, SessionRead, SessionSample, SessionStart


def _sessions() -> QuerySet[Session]:
    return Session.objects.select_related(
        "project__workspace",
        "owner",
        "profile",
        "workload__host",
        "workload__environment",
        "workload__environment_request__workload",
    )


def session_of_token(token: str) -> Session | None:
    """The session that still runs whose token this is, None where there is none (any more)."""
    found: Session | None = (
        _sessions()
        .filter(token_digest=token_digest(token), token_died_at=None, owner__is_active=True)
        .exclude(workload__state__in=ENDS)
        .first()
    )
    return found


def may_work_in(user: User, project: Project) -> bool:
    """Whether the person may have a session in the project: they may start processes and edit files."""
    return {Permission.RUN_START, Permission.PROJECT_EDIT} <= project_permissions(user, project)


def sessions_of(project: Project, filters: Mapping[str, Any] | None = None) -> QuerySet[Session]:
    """The sessions of the project, newest first; `filters`: `state`, `owner`. The caller has required PROJECT_VIEW.

    Raises ValidationFailed for a filter that cannot be.
    """
    sessions = _sessions().filter(project=project, deleted_at=None).order_by("-id")
    given = filters or {}
    if state := given.get("state"):
        if state not in WorkloadState.values:
            choices = ", ".join(WorkloadState.values)
            raise ValidationFailed(f"`state` is {str(state)[:40]!r}.", remedy=f"Give one of {choices}.", field="state")
        sessions = sessions.filter(workload__state=state)
    if owner := given.get("owner"):
        sessions = sessions.filter(owner__username=str(owner).replace("\0", "?"))
    return sessions


def get_session(viewer: User, session_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Session:
    """A session in whose project the person holds `permission`. Raises NotFound and PermissionRefused."""
    seen = _sessions().filter(pk=session_id, deleted_at=None, project__in=visible_projects(viewer))
    session: Session | None = seen.first()
    if session is None:
        raise NotFound(
            "There is no such session, or it is not yours to see.", remedy="See the list of the project's sessions."
        )
    require_project(viewer, permission, session.project)
    return session


def live_sessions() -> QuerySet[Session]:
    """Those whose process is not over, for the watcher."""
    return _sessions().exclude(workload__state__in=ENDS).filter(deleted_at=None)


def starts_of(session: Session) -> QuerySet[SessionStart]:
    """Each time that it was started, the first one first. The caller has required PROJECT_VIEW."""
    return SessionStart.objects.filter(session=session).select_related("workload__host").order_by("number")


def samples_of(session: Session) -> QuerySet[SessionSample]:
    """What it used, oldest first. The caller has required PROJECT_VIEW."""
    return SessionSample.objects.filter(session=session).order_by("at")


def commands_of(session: Session) -> QuerySet[SessionCommand]:
    """What was typed in it, newest first. The caller has required PROJECT_MANAGE, AUDIT_READ or is its owner."""
    return SessionCommand.objects.filter(session=session).order_by("-id")


def reads_of(session: Session) -> QuerySet[SessionRead]:
    """What was read of data connections, newest first. The caller has required what `commands_of` says."""
    return SessionRead.objects.filter(session=session).order_by("-id")


def reads_of_workload(workload_id: UUID, limit: int) -> list[SessionRead]:
    """The same of one process, newest first, at most `limit`. The caller may see all processes, as auditors may."""
    return list(SessionRead.objects.filter(workload=workload_id).order_by("-id")[:limit])


def may_read_commands(viewer: User, session: Session) -> bool:
    """Whether the person may see what was typed and read: its owner, administrators of the project, and auditors."""
    held = project_permissions(viewer, session.project)
    is_own = session.owner_id == viewer.pk and Permission.PROJECT_VIEW in held
    return is_own or bool({Permission.PROJECT_MANAGE, Permission.AUDIT_READ} & held)


def policy_of(project: Project) -> SessionPolicy:
    """What the project wants of its sessions; unsaved where nobody has said."""
    return SessionPolicy.objects.filter(project=project).first() or SessionPolicy(project=project)


# What to do where `can_run` says no.
NEEDS_A_HOST = (
    "Have an administrator of the installation choose Hosts → Add a host, and give the command that is shown there, "
    "with `--backend docker` or `--backend process` behind it, on a machine beside the swarm. Then start it again."
)


def can_run() -> bool:
    """Whether a host of this installation could run sessions: what a task of a swarm writes goes with it."""
    hosts = Host.objects.exclude(state="removed")
    return not hosts.exists() or hosts.exclude(backend=Host.Backend.SWARM).exists()


def starts_of_workloads(workload_ids: list[UUID]) -> dict[UUID, SessionStart]:
    """The start of a session that each of the workloads is. The caller may see them all, as auditors may."""
    starts = SessionStart.objects.filter(workload__in=workload_ids).select_related("session__owner")
    return {start.workload_id: start for start in starts}


def build_of(session: Session) -> Workload | None:
    """The build that its environment waits for, None where there is none."""
    request = session.workload.environment_request
    return request.workload if request is not None and request.state == "building" else None

"""What audit rows and commits say of sessions."""

from __future__ import annotations

from typing import Any

from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from sessions.models import Session


def session_target(session: Session) -> Target:
    """The session as an audit row names it."""
    return Target("session", session.pk, str(session))


def audit(session: Session, action: AuditAction, acting_user: Actor, **facts: Any) -> None:
    """Put on record what was done to a session."""
    record(
        acting_user=acting_user,
        action=action,
        target=session_target(session),
        workspace_id=session.project.workspace_id,
        project_id=session.project_id,
        **facts,
    )

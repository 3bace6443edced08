"""The one way to write an audit row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.db import connection

from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent


class ActingUser(Protocol):
    """What an audit row needs of an actor (`accounts.actors.Actor`, which stands above this room)."""

    @property
    def user(self) -> Any: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def site_role(self) -> str: ...
    @property
    def token_id(self) -> UUID | None: ...
    @property
    def request_id(self) -> str: ...
    @property
    def address(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Target:
    """The thing that something was done to."""

    kind: str
    id: object
    name: str


def record(
    *,
    acting_user: ActingUser,
    action: AuditAction,
    target: Target,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    role: str = "",
    workspace_id: UUID | None = None,
    project_id: UUID | None = None,
) -> AuditEvent:
    """Append an audit row in the caller's transaction, so that neither it nor the change exists alone.

    `role` is the role that allowed it, the actor's site role by default. Raises RuntimeError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{action} must be recorded in the transaction of the change")
    return AuditEvent.objects.create(
        actor_id=getattr(acting_user.user, "pk", None),
        actor_kind=acting_user.kind,
        actor_name=acting_user.name,
        actor_role=role or acting_user.site_role,
        token_id=acting_user.token_id,
        action=action,
        target_kind=target.kind,
        target_id=str(target.id),
        target_name=target.name[:255],
        workspace_id=workspace_id,
        project_id=project_id,
        before=before,
        after=after,
        reason=reason,
        request_id=acting_user.request_id,
        address=acting_user.address,
    )

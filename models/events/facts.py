"""How sinks are named in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from models.events.models import Sink
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import fingerprint


def shown_url(url: str) -> str:
    """The address as everybody may see it: what follows `?` may be a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}{'?…' if parts.query else ''}"


def facts_of(sink: Sink) -> dict[str, Any]:
    """What the audit log says of it."""
    return {
        "name": sink.name,
        "description": sink.description,
        "url": shown_url(sink.url),
        # So that a change of what is not shown is seen.
        "url_fingerprint": fingerprint(sink.url, purpose="address of an event sink"),
        "mode": sink.mode,
        "families": list(sink.families),
        "endpoint_ids": [str(id_) for id_ in sink.endpoint_ids],
    }


def audit(
    action: AuditAction,
    sink: Sink,
    *,
    acting_user: Actor,
    role: str = "",
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Record what happened to the sink, in the caller's transaction."""
    record(
        acting_user=acting_user,
        action=action,
        target=Target("event sink", sink.pk, f"{sink.home.name}/{sink.name}"),
        before=before,
        after=after,
        reason=reason,
        role=role,
        workspace_id=sink.project.workspace_id if sink.project else sink.workspace_id,
        project_id=sink.project_id,
    )

"""How rollouts stand in the audit log and in their own history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.endpoints.models import Deployment
from models.rollouts.models import Rollout, RolloutEvent
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record


def rollout_target(rollout: Rollout) -> Target:
    """The rollout as an audit row names it."""
    return Target("rollout", rollout.pk, f"{rollout.endpoint.path} rollout {rollout.number}")


def audit(action: AuditAction, rollout: Rollout, *, acting_user: Actor, **facts: Any) -> None:
    """An audit row for the rollout."""
    record(
        acting_user=acting_user,
        action=action,
        target=rollout_target(rollout),
        workspace_id=rollout.endpoint.workspace_id,
        project_id=rollout.endpoint.project_id,
        **facts,
    )


def note(
    rollout: Rollout,
    kind: RolloutEvent.Kind,
    *,
    acting_user: Actor,
    detail: str = "",
    deployment: Deployment | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """A row of the rollout's history."""
    RolloutEvent.objects.create(
        rollout=rollout,
        kind=kind,
        actor_name=acting_user.name,
        detail=detail,
        deployment=deployment,
        evidence=dict(evidence or {}),
    )


def facts_of(rollout: Rollout) -> dict[str, Any]:
    """What a rollout is to do, for audit rows."""
    return {
        "strategy": rollout.strategy,
        "version": str(rollout.model_version),
        "version_id": str(rollout.model_version_id),
        "before": f"deployment {rollout.before.number}",
        "steps": rollout.steps,
        "conditions": rollout.conditions,
        "assign": rollout.assign,
    }

"""What an endpoint asks of its replays, and when its way back is proved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models, transaction

from jobs.schedules import next_times
from models.endpoints.models import Endpoint
from models.endpoints.services import audit, endpoint_target
from models.replays.models import DrillPolicy, ReplayPolicy
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import ValidationFailed
from modelwright.core.saving import check_fields
from projects.selectors import authorize

REPLAY_FIELDS = (
    *("max_flip_rate", "max_segment_flip_rate", "max_error_rate", "max_metric_drop", "max_latency_factor"),
    *("min_requests", "min_rows", "numeric_tolerance", "segment_columns"),
)
DRILL_FIELDS = ("schedule", "max_seconds", "golden_requests")
MOST_COLUMNS, LONGEST_NAME = 60, 500


def replay_policy(endpoint: Endpoint) -> ReplayPolicy:
    """What is asked of the endpoint's replays; the usual where nobody said anything. The caller may see it."""
    return ReplayPolicy.objects.filter(endpoint=endpoint).first() or ReplayPolicy(endpoint=endpoint)


def drill_policy(endpoint: Endpoint) -> DrillPolicy:
    """When the endpoint is drilled; only by hand where nobody said anything. The caller may see it."""
    return DrillPolicy.objects.filter(endpoint=endpoint).first() or DrillPolicy(endpoint=endpoint)


def thresholds_of(policy: ReplayPolicy) -> dict[str, Any]:
    """The policy as a replay keeps it."""
    return {name: getattr(policy, name) for name in REPLAY_FIELDS}


@transaction.atomic
def set_replay_policy(endpoint: Endpoint, values: Mapping[str, Any], *, acting_user: Actor) -> ReplayPolicy:
    """Change what `values` names of `REPLAY_FIELDS`, for replays from now on. Raises ValidationFailed."""
    if "segment_columns" in values:
        values = {**values, "segment_columns": _columns(values["segment_columns"])}
    policy = replay_policy(_locked(endpoint, acting_user))
    _change(endpoint, policy, values, REPLAY_FIELDS, AuditAction.REPLAY_POLICY_SET, acting_user)
    return policy


@transaction.atomic
def set_drill_policy(endpoint: Endpoint, values: Mapping[str, Any], *, acting_user: Actor) -> DrillPolicy:
    """Change what `values` names of `DRILL_FIELDS`; a new schedule holds at once. Raises ValidationFailed."""
    policy = drill_policy(_locked(endpoint, acting_user))
    if "schedule" in values:
        line = str(values["schedule"]).strip()
        values = {**values, "schedule": line}
        policy.next_at = _first_time(line)
        policy.note = ""
    _change(endpoint, policy, values, DRILL_FIELDS, AuditAction.DRILL_POLICY_SET, acting_user)
    return policy


def _first_time(line: str) -> datetime | None:
    if len(line) > 100:
        raise ValidationFailed("The schedule is too long.", remedy="Write five cron fields.", field="schedule")
    return next_times(line)[0] if line else None


def _locked(endpoint: Endpoint, acting_user: Actor) -> Endpoint:
    authorize(acting_user, Permission.ENDPOINT_MANAGE, endpoint.project)
    # One after the other, so that there is one policy and each audit row has what was before.
    Endpoint.objects.select_for_update().only("pk").get(pk=endpoint.pk)
    return endpoint


def _change(
    endpoint: Endpoint,
    policy: models.Model,
    values: Mapping[str, Any],
    fields: tuple[str, ...],
    action: AuditAction,
    acting_user: Actor,
) -> None:
    before = {name: getattr(policy, name) for name in fields}
    for name in fields:
        if name in values:
            setattr(policy, name, values[name])
    check_fields(policy)
    after = {name: getattr(policy, name) for name in fields}
    policy.save()
    changed = [name for name in fields if before[name] != after[name]]
    if changed:
        audit(
            action,
            endpoint_target(endpoint),
            endpoint,
            acting_user=acting_user,
            role=authorize(acting_user, Permission.ENDPOINT_MANAGE, endpoint.project),
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )


def _columns(names: Any) -> list[str]:
    found = list(dict.fromkeys(str(name) for name in names))
    if len(found) > MOST_COLUMNS or any(len(name) > LONGEST_NAME for name in found):
        raise ValidationFailed(
            f"{len(found)} columns are too many, or their names too long.",
            remedy=f"Name at most {MOST_COLUMNS} columns.",
            field="segment_columns",
        )
    return found

"""Writes that people ask for: start, pause, resume, hurry and stop a rollout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.endpoints.selectors import live_deployment, under_way
from models.gateway.routing import RoutingError, parse_routing
from models.registry.models import ModelVersion
from models.rollouts import progress, stepping, transitions
from models.rollouts.conditions import conditions_of
from models.rollouts.facts import audit, facts_of, note
from models.rollouts.models import Rollout, RolloutEvent
from models.rollouts.plan import Strategy, steps_of
from models.rollouts.states import OPEN
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import Conflict, ValidationFailed
from projects.selectors import authorize


@dataclass(frozen=True, slots=True)
class RolloutRequest:
    """What to bring how. `steps` and `conditions` as docs/rollouts.md says, the usual ones where they are left out;
    `assign` says by what units are told apart, and is needed for an A/B test."""

    model_version: ModelVersion
    strategy: str = Strategy.CANARY
    steps: Sequence[Mapping[str, Any]] | None = None
    conditions: Mapping[str, Any] | None = None
    assign: Mapping[str, Any] | None = None
    reason: str = ""


@transaction.atomic
def start(endpoint: Endpoint, request: RolloutRequest, *, acting_user: Actor) -> Rollout:
    """Begin a rollout: its row, its first deployment and the audit row in one transaction.

    Raises PermissionRefused, ValidationFailed, Conflict where another one is open or the endpoint serves nothing that
    could be compared with.
    """
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, endpoint.project)
    Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    strategy = _strategy(request.strategy)
    before = _before(endpoint)
    base = _base(endpoint, before, request.model_version)
    rollout = Rollout(
        endpoint=endpoint,
        number=(Rollout.objects.filter(endpoint=endpoint).aggregate(last=Max("number"))["last"] or 0) + 1,
        model_version=request.model_version,
        base_version=base,
        strategy=strategy,
        steps=[step.as_json() for step in steps_of(strategy, request.steps)],
        conditions=conditions_of(request.conditions).as_json(),
        assign=_assign(strategy, request.assign),
        actor=acting_user.user,
        actor_name=acting_user.name,
        reason=request.reason.strip(),
        before=before,
    )
    try:
        with transaction.atomic():
            rollout.save(force_insert=True)
    except IntegrityError:
        raise _another(endpoint) from None
    is_standby = strategy is Strategy.BLUE_GREEN
    rollout.deployment = stepping.stand_by(rollout) if is_standby else stepping.take_step(rollout, 0, {})
    rollout.save(update_fields=["deployment"])
    note(rollout, RolloutEvent.Kind.STARTED, acting_user=acting_user, detail=rollout.reason, deployment=before)
    audit(
        AuditAction.ROLLOUT_STARTED,
        rollout,
        acting_user=acting_user,
        role=role,
        after=facts_of(rollout),
        reason=rollout.reason,
    )
    return rollout


def _strategy(name: str) -> Strategy:
    if name not in list(Strategy):
        raise ValidationFailed(
            f"There is no strategy {name[:40]!r}.", remedy=f"Give one of {', '.join(Strategy)}.", field="strategy"
        )
    return Strategy(name)


def _before(endpoint: Endpoint) -> Deployment:
    """What serves, which the endpoint goes back to if the rollout stops. Raises Conflict."""
    if Rollout.objects.filter(endpoint=endpoint, state__in=OPEN).exists():
        raise _another(endpoint)
    live = live_deployment(endpoint)
    if live is None:
        raise Conflict(
            f"{endpoint.name} serves nothing, so there is nothing to compare with or to go back to.",
            remedy="Deploy the version instead.",
        )
    if (coming := under_way(endpoint)) is not None:
        raise Conflict(
            f"Deployment {coming.number} is on its way to {endpoint.name}.",
            remedy="Wait until it serves, or roll back to what serves now.",
        )
    if live.graph:
        raise Conflict(
            f"{endpoint.name} is answered by a graph, of which no version can be exchanged step by step.",
            remedy="Deploy the graph with the new version as a whole.",
        )
    return live


def _another(endpoint: Endpoint) -> Conflict:
    return Conflict(
        f"A rollout of {endpoint.name} is under way.", remedy="Wait until it is over, or stop it on its page."
    )


def _base(endpoint: Endpoint, before: Deployment, candidate: ModelVersion) -> ModelVersion:
    """The one version that answers now. Raises Conflict where there are several, or the candidate is there already."""
    answering = stepping.answering_targets(before)
    if len(answering) != 1:
        raise Conflict(
            f"{endpoint.name} is answered by several versions.",
            remedy="Deploy or roll back to one of them first.",
        )
    there = next((each for each in before.targets.all() if each.model_version_id == candidate.pk), None)
    if there is not None:
        role = DeploymentTarget.Role(there.role).label.lower()
        raise Conflict(
            f"{candidate} is part of deployment {before.number} already ({role}).",
            remedy="Choose another version.",
            field="model_version",
        )
    return answering[0].model_version


def _assign(strategy: Strategy, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not given:
        if strategy is Strategy.AB:
            raise ValidationFailed(
                "An A/B test needs to know what a unit is, so that each always meets the same version.",
                remedy="Give a header such as x-user-id, or a column of the input.",
                field="assign",
            )
        return None
    try:
        parse_routing({"assign": dict(given)})
    except RoutingError as error:
        raise ValidationFailed(
            f"Units cannot be told apart so: {error}.",
            remedy='Give {"by": "header" or "column", "name": …}.',
            field="assign",
        ) from None
    return dict(given)


@transaction.atomic
def pause(rollout: Rollout, *, reason: str = "", acting_user: Actor) -> Rollout:
    """Keep the weights as they are until it is resumed; its conditions go on to hold.

    Raises PermissionRefused, Conflict where it does not run.
    """
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, rollout.endpoint.project)
    if not transitions.pause(rollout):
        raise _not_so(rollout, "paused", "Only a running one can be paused.")
    note(rollout, RolloutEvent.Kind.PAUSED, acting_user=acting_user, detail=reason)
    audit(AuditAction.ROLLOUT_PAUSED, rollout, acting_user=acting_user, role=role, reason=reason)
    rollout.refresh_from_db()
    return rollout


@transaction.atomic
def resume(rollout: Rollout, *, acting_user: Actor) -> Rollout:
    """Go on after a pause, which does not count as time of the step.

    Raises PermissionRefused, Conflict where it is not paused.
    """
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, rollout.endpoint.project)
    locked = Rollout.objects.select_for_update(of=("self",)).filter(pk=rollout.pk, state="paused").first()
    if locked is None:
        raise _not_so(rollout, "resumed", "Only a paused one can be resumed.")
    began, paused, changes = locked.step_began_at, locked.paused_at, {}
    if began is not None and paused is not None:
        changes["step_began_at"] = began + (timezone.now() - max(began, paused))
    transitions.run(locked, **changes)
    note(locked, RolloutEvent.Kind.RESUMED, acting_user=acting_user)
    audit(AuditAction.ROLLOUT_RESUMED, rollout, acting_user=acting_user, role=role)
    rollout.refresh_from_db()
    return rollout


@transaction.atomic
def advance(rollout: Rollout, *, reason: str, acting_user: Actor) -> Rollout:
    """Take the next step now, whatever is left of this one.

    Raises PermissionRefused, ValidationFailed without a reason, Conflict where no step is running.
    """
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, rollout.endpoint.project)
    reason = _required(reason)
    with progress.held(rollout) as locked:
        ready = locked is not None and locked.state == "running" and locked.step_began_at is not None
        if locked is None or not ready or locked.step >= len(locked.steps) or not progress.is_newest(locked):
            raise _not_so(rollout, "hurried", "Wait until its step serves, and resume it if it is paused.")
        progress.advance(locked, locked.evidence, acting_user=acting_user, why=reason, role=role)
    rollout.refresh_from_db()
    return rollout


@transaction.atomic
def stop(rollout: Rollout, *, reason: str, acting_user: Actor) -> Rollout:
    """End it: what served before it serves again, at once.

    Raises PermissionRefused, ValidationFailed without a reason, Conflict where it is over.
    """
    role = authorize(acting_user, Permission.ENDPOINT_ROLLBACK, rollout.endpoint.project)
    reason = _required(reason)
    with progress.held(rollout) as locked:
        if locked is None:
            raise _not_so(rollout, "stopped", "Reload the page to see where it stands.")
        if progress.is_newest(locked):
            progress.stop(locked, reason, locked.evidence, acting_user=acting_user, role=role)
        else:
            progress.leave(locked, reason, acting_user=acting_user, role=role)
    rollout.refresh_from_db()
    return rollout


def _required(reason: str) -> str:
    if not reason.strip():
        raise ValidationFailed(
            "It needs a reason.", remedy="Say in a sentence why, for those who read it later.", field="reason"
        )
    return reason.strip()


def _not_so(rollout: Rollout, what: str, remedy: str) -> Conflict:
    rollout.refresh_from_db(fields=["state"])
    return Conflict(f"The rollout cannot be {what}: it is {rollout.get_state_display().lower()}.", remedy=remedy)

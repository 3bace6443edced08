"""What the controller writes: a step begins, another follows, the rollout ends. Each is one transaction, in which
nobody else's deployment comes in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from models.endpoints.models import Deployment, Endpoint
from models.rollouts import stepping, transitions
from models.rollouts.facts import audit, note
from models.rollouts.models import Rollout, RolloutEvent
from models.rollouts.plan import Strategy
from models.rollouts.states import OPEN
from models.rollouts.stepping import CONTROLLER
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction

Kind = RolloutEvent.Kind


@contextmanager
def held(rollout: Rollout) -> Iterator[Rollout | None]:
    """The rollout's row, locked with its endpoint's; None where it is over, or has gone on since `rollout` was read.

    While it is held nobody deploys to the endpoint.
    """
    with transaction.atomic():
        Endpoint.objects.select_for_update().get(pk=rollout.endpoint_id)
        rows = Rollout.objects.select_for_update(of=("self",)).filter(
            Q(deployment_id=rollout.deployment_id),
            pk=rollout.pk,
            state=rollout.state,
            step=rollout.step,
            state__in=OPEN,
        )
        yield rows.select_related(
            "endpoint__workspace",
            "endpoint__project",
            "model_version__model",
            "base_version__model",
            "before",
            "deployment",
        ).first()


def is_newest(rollout: Rollout) -> bool:
    """Whether what the rollout asked for last is the newest deployment of the endpoint."""
    newest = Deployment.objects.filter(endpoint_id=rollout.endpoint_id).order_by("-number").values_list("pk", flat=True)
    return newest.first() == rollout.deployment_id


def wait(rollout: Rollout, words: str) -> None:
    """Say what it waits for."""
    if words != rollout.detail:
        Rollout.objects.filter(pk=rollout.pk, state__in=OPEN).update(detail=words)


def keep(rollout: Rollout, evidence: Mapping[str, Any], *, looks: int, looked_at: int) -> None:
    """Keep the newest figures, and that the conditions were tested."""
    Rollout.objects.filter(pk=rollout.pk, state__in=OPEN, step=rollout.step).update(
        evidence=dict(evidence), looks=looks, looked_at=looked_at
    )


def begin(rollout: Rollout) -> None:
    """The deployment of its step serves: the step's time begins."""
    began = rollout.deployment.live_at if rollout.deployment else None
    Rollout.objects.filter(pk=rollout.pk).update(
        step_began_at=began or timezone.now(), looks=0, looked_at=0, detail="", evidence={}
    )
    if rollout.state == "pending":
        transitions.run(rollout)
    number, of_all = rollout.step + 1, len(rollout.steps)
    words = f"Step {number} of {of_all} serves, with {rollout.steps[rollout.step]['weight']} % of the requests."
    note(rollout, Kind.STEP, acting_user=CONTROLLER, detail=words, deployment=rollout.deployment)


def smoke_tested(rollout: Rollout, evidence: Mapping[str, Any], *, passed: bool, words: str) -> None:
    """The replicas that nobody asks yet answered what they were asked: all requests go to them now, or none ever."""
    note(rollout, Kind.SMOKE_TESTED, acting_user=CONTROLLER, detail=words, evidence=evidence)
    if not passed:
        fail(rollout, f"Smoke test: {words}", evidence)
        return
    deployment = stepping.take_step(rollout, 0, evidence)
    _ask(rollout, deployment, 0, is_proved=True)


def advance(rollout: Rollout, evidence: Mapping[str, Any], *, acting_user: Actor, why: str, role: str = "") -> None:
    """The step is over: ask for the next one, or for the end that the strategy has."""
    number = rollout.step + 1
    if number < len(rollout.steps):
        deployment = stepping.take_step(rollout, number, evidence)
    elif rollout.strategy in (Strategy.CANARY, Strategy.BLUE_GREEN):
        deployment = stepping.promote(rollout, evidence)
    else:
        deployment = stepping.end_as_before(rollout, evidence, reason=_end_words(rollout))
    _ask(rollout, deployment, number)
    audit(
        AuditAction.ROLLOUT_STEPPED,
        rollout,
        acting_user=acting_user,
        role=role,
        before={"step": rollout.step + 1},
        after={"step": number + 1, "of": len(rollout.steps), "deployment": deployment.number},
        reason=why,
    )


def _end_words(rollout: Rollout) -> str:
    what = "was shadowed" if rollout.strategy == Strategy.SHADOW else "was compared"
    return f"Rollout {rollout.number} by {rollout.actor_name}: {rollout.model_version} {what} as long as planned."


def _ask(rollout: Rollout, deployment: Deployment, step: int, **changes: Any) -> None:
    Rollout.objects.filter(pk=rollout.pk).update(
        deployment=deployment, step=step, step_began_at=None, looks=0, looked_at=0, detail="", **changes
    )


def finish(rollout: Rollout) -> None:
    """The deployment after the last step serves."""
    promoted = rollout.strategy in (Strategy.CANARY, Strategy.BLUE_GREEN)
    words = f"{rollout.model_version} answers alone." if promoted else "What served before answers alone again."
    _end(rollout, "promoted" if promoted else "completed", words, CONTROLLER, rollout.evidence, rollout.deployment)


def give_way(rollout: Rollout, words: str) -> None:
    """Somebody else decided what serves: leave it so."""
    newest = _newest(rollout)
    if newest is not None and newest.pk != rollout.deployment_id:
        words = f"{newest.actor_name} asked for deployment {newest.number} meanwhile ({newest.get_kind_display()})."
    _end(rollout, "stopped", words, CONTROLLER, rollout.evidence, newest)


def leave(rollout: Rollout, words: str, *, acting_user: Actor, role: str) -> None:
    """A person ends it where something else was deployed already: what serves stays."""
    _end(rollout, "stopped", words, acting_user, rollout.evidence, _newest(rollout), role)


def _newest(rollout: Rollout) -> Deployment | None:
    newest: Deployment | None = Deployment.objects.filter(endpoint_id=rollout.endpoint_id).order_by("-number").first()
    return newest


def fail(rollout: Rollout, words: str, evidence: Mapping[str, Any]) -> None:
    """It cannot go on: what served before the rollout serves again."""
    _end(rollout, "failed", words, CONTROLLER, evidence, _back(rollout, evidence, words, CONTROLLER))


def stop(rollout: Rollout, words: str, evidence: Mapping[str, Any], *, acting_user: Actor, role: str = "") -> None:
    """End it before its time: what served before the rollout serves again, at once."""
    _end(rollout, "stopped", words, acting_user, evidence, _back(rollout, evidence, words, acting_user), role)


def _back(rollout: Rollout, evidence: Mapping[str, Any], words: str, acting_user: Actor) -> Deployment | None:
    """The rollback, None where nothing of the rollout ever served nor is on its way, or nothing shall serve."""
    if rollout.endpoint.state != "active":
        return None
    live = Deployment.objects.filter(endpoint_id=rollout.endpoint_id, state="live").first()
    under_way = rollout.deployment is not None and rollout.deployment.state in ("pending", "starting")
    if live is not None and live.pk == rollout.before_id and not under_way:
        return None
    reason = f"Rollout {rollout.number} stopped. {words}"[:4000]
    return stepping.go_back(rollout, evidence, reason=reason, acting_user=acting_user)


def _end(
    rollout: Rollout,
    state: str,
    words: str,
    acting_user: Actor,
    evidence: Mapping[str, Any],
    deployment: Deployment | None,
    role: str = "",
) -> None:
    before = rollout.state
    if state in ("promoted", "completed") and before == "paused":
        transitions.run(rollout)
    if not transitions.end(rollout, state, detail=words, evidence=dict(evidence)):
        return
    kind = Kind(state)
    note(rollout, kind, acting_user=acting_user, detail=words, deployment=deployment, evidence=evidence)
    audit(
        AuditAction.ROLLOUT_ENDED,
        rollout,
        acting_user=acting_user,
        role=role,
        before={"state": before, "step": rollout.step + 1},
        after={"state": state, "deployment": deployment.number if deployment else None, "evidence": dict(evidence)},
        reason=words,
    )

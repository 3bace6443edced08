"""Takes rollouts from step to step, and stops them. Every turn may be repeated, and may be cut off at any point."""

from __future__ import annotations

import logging
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.utils import timezone

from models.rollouts import progress, stepping, watching
from models.rollouts.deciding import Action, Decision, Situation, decide, is_look_due
from models.rollouts.models import Rollout
from models.rollouts.plan import Strategy
from models.rollouts.proving import Proof, prove
from models.rollouts.states import OPEN
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)


def tick() -> None:
    """One turn of every rollout that is not over. None of them waits for a smoke test."""
    _turns(_open_rollouts())


def prove_tick() -> None:
    """The smoke tests that are due. They take long, so they have a loop of their own."""
    unproved = _open_rollouts().filter(strategy=Strategy.BLUE_GREEN, is_proved=False)
    _turns(unproved.filter(deployment__state="live"), may_prove=True)


def _open_rollouts() -> QuerySet[Rollout]:
    return Rollout.objects.filter(state__in=OPEN).select_related(
        "endpoint__workspace", "endpoint__project", "model_version__model", "base_version", "before", "deployment"
    )


def _turns(found: QuerySet[Rollout], *, may_prove: bool = False) -> None:
    for rollout in found.order_by("pk"):
        try:
            turn(rollout, may_prove=may_prove)
        except (InterfaceError, OperationalError):
            raise
        except Exception:
            # One rollout's trouble must not keep the others from being stopped.
            logger.exception("%s", rollout)


def turn(rollout: Rollout, *, may_prove: bool) -> None:
    """Look at one rollout as it was just read, and do what is next. What is not allowed any more ends it."""
    try:
        _turn(rollout, may_prove=may_prove)
    except PlatformError as error:
        _refused(rollout, error)


def _turn(rollout: Rollout, *, may_prove: bool) -> None:
    newest = progress.is_newest(rollout)
    serves = rollout.deployment is not None and rollout.deployment.state == "live" and newest
    sight, requests = _look(rollout) if serves and rollout.step_began_at is not None else (None, 0)
    decision = decide(_situation(rollout, newest, sight, requests), timezone.now())
    if decision.action is Action.WAIT:
        progress.wait(rollout, decision.words)
        return
    if decision.action is Action.PROVE and not may_prove:
        return
    proof: Proof | None = prove(rollout) if decision.action is Action.PROVE else None
    with progress.held(rollout) as locked:
        if locked is None or progress.is_newest(locked) is not newest or not _is_as_seen(rollout, locked):
            return  # It has gone on meanwhile: the next turn sees how.
        if locked.endpoint.state != "active":
            progress.give_way(locked, f"The endpoint was {locked.endpoint.state}.")
        elif proof is not None:
            progress.smoke_tested(locked, {"smoke": proof.as_json()}, passed=proof.passed, words=proof.words)
        else:
            _act(locked, decision, sight.as_json() if sight else dict(rollout.evidence))


def _is_as_seen(seen: Rollout, now: Rollout) -> bool:
    """Whether its deployment still is what the decision was made on."""
    states = [each.deployment.state if each.deployment is not None else "" for each in (seen, now)]
    return states[0] == states[1]


def _situation(rollout: Rollout, newest: bool, sight: watching.Sight | None, requests: int) -> Situation:
    deployment = rollout.deployment
    return Situation(
        strategy=Strategy(rollout.strategy),
        steps=stepping.steps_of(rollout),
        step=rollout.step,
        began_at=rollout.step_began_at,
        is_paused=rollout.state == "paused",
        is_proved=rollout.is_proved,
        deployment_state=deployment.state if deployment else "pending",
        deployment_detail=deployment.detail if deployment else "",
        is_newest=newest,
        requests=requests,
        findings=sight.findings if sight else watching.kept_findings(rollout),
        is_record_late=watching.is_record_late(),
    )


def _look(rollout: Rollout) -> tuple[watching.Sight | None, int]:
    """What the conditions say, where they are to be tested now, and how many requests the candidate got in the step."""
    candidate = watching.candidate_figures(rollout)
    conditions = watching.conditions_of(rollout)
    step = stepping.steps_of(rollout)[rollout.step]
    began = rollout.step_began_at or timezone.now()
    is_over = (timezone.now() - began).total_seconds() >= 60 * step.minutes and candidate.requests >= step.requests
    may_go_on = is_over and rollout.state != "paused" and not watching.is_record_late()
    too_many = conditions.max_replica_deaths is not None and candidate.deaths > conditions.max_replica_deaths
    due = is_look_due(candidate, watching.last_look(rollout), conditions.min_requests, timezone.now())
    is_news = candidate.requests > rollout.looked_at
    if not (due or too_many or (may_go_on and is_news) or not rollout.evidence):
        return None, candidate.requests
    sight = watching.look(rollout, candidate, rollout.looks + 1)
    looks = rollout.looks + (candidate.requests >= conditions.min_requests)
    progress.keep(rollout, sight.as_json(), looks=looks, looked_at=candidate.requests)
    return sight, candidate.requests


def _act(rollout: Rollout, decision: Decision, evidence: dict[str, Any]) -> None:
    match decision.action:
        case Action.GIVE_WAY:
            progress.give_way(rollout, decision.words)
        case Action.FAIL:
            progress.fail(rollout, decision.words, evidence)
        case Action.BEGIN:
            progress.begin(rollout)
        case Action.STOP:
            progress.stop(rollout, decision.words, evidence, acting_user=stepping.CONTROLLER)
        case Action.NEXT:
            progress.advance(
                rollout, evidence, acting_user=stepping.CONTROLLER, why="The step is over and its conditions hold."
            )
        case Action.END:
            progress.finish(rollout)


def _refused(rollout: Rollout, error: PlatformError) -> None:
    """What the rollout asked for next is not allowed any more."""
    with progress.held(rollout) as locked:
        if locked is None:
            return
        if not progress.is_newest(locked):
            progress.give_way(locked, "Something else was deployed meanwhile.")
        else:
            progress.fail(locked, f"{error.message} {error.remedy}".strip(), dict(rollout.evidence))

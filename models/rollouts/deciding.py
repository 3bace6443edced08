"""What is to be done with a rollout now, from plain facts: no database, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.rollouts.conditions import Finding
from models.rollouts.plan import Step, Strategy

# Conditions are tested again once the requests have grown by so much: each look costs certainty.
GROWTH = 1.2


class Action(StrEnum):
    """What the controller does next."""

    WAIT = "wait"
    GIVE_WAY = "give way"
    FAIL = "fail"
    PROVE = "prove"
    BEGIN = "begin"
    STOP = "stop"
    NEXT = "next"
    END = "end"


@dataclass(frozen=True, slots=True)
class Decision:
    """The action, and in words why, or what is waited for."""

    action: Action
    words: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """A rollout as far as a decision needs it. `findings` are those of the newest look in this step."""

    strategy: Strategy
    steps: Sequence[Step]
    step: int
    began_at: datetime | None
    is_paused: bool
    is_proved: bool
    deployment_state: str
    deployment_detail: str
    is_newest: bool
    requests: int = 0
    findings: Sequence[Finding] = ()
    is_record_late: bool = False


def decide(facts: Situation, now: datetime) -> Decision:
    """The next action. Somebody else's deployment always comes first."""
    if not facts.is_newest:
        return Decision(Action.GIVE_WAY, "Something else was deployed meanwhile, or the endpoint was rolled back.")
    if facts.deployment_state == "failed":
        return Decision(Action.FAIL, facts.deployment_detail)
    if facts.deployment_state == "superseded":
        return Decision(Action.GIVE_WAY, "The endpoint was stopped.")
    if facts.deployment_state != "live":
        return Decision(Action.WAIT, facts.deployment_detail or "Replicas of the new version start.")
    if facts.step >= len(facts.steps):
        return Decision(Action.END)
    if facts.strategy is Strategy.BLUE_GREEN and not facts.is_proved:
        return Decision(Action.PROVE)
    if facts.began_at is None:
        return Decision(Action.BEGIN)
    return _in_step(facts, facts.began_at, now)


def _in_step(facts: Situation, began_at: datetime, now: datetime) -> Decision:
    if broken := [finding for finding in facts.findings if finding.outcome == "broken"]:
        return Decision(Action.STOP, " ".join(finding.words for finding in broken))
    if facts.is_paused:
        return Decision(Action.WAIT, "Paused: the weights stay as they are.")
    step = facts.steps[facts.step]
    over_at = began_at + timedelta(minutes=step.minutes)
    if now < over_at:
        return Decision(Action.WAIT, "")
    if facts.requests < step.requests:
        missing = step.requests - facts.requests
        words = f"The time of this step is over; it waits for {missing} more request{'' if missing == 1 else 's'}."
        return Decision(Action.WAIT, words)
    if facts.is_record_late:
        words = "The time of this step is over; it waits until what was answered is on record, which is late."
        return Decision(Action.WAIT, words)
    return Decision(Action.NEXT)


def is_look_due(requests: int, looked_at: int, min_requests: int) -> bool:
    """Whether so many requests are enough for another test of the conditions."""
    return requests >= min_requests and requests > looked_at and requests >= looked_at * GROWTH

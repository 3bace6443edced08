"""What is to be done with a rollout now, from plain facts: no database, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.rollouts.conditions import Figures, Finding
from models.rollouts.plan import Step, Strategy

# Conditions are tested again once the requests have grown by so much: each look costs certainty.
GROWTH = 1.2
# So many more failures are worth another look, however many requests there were before.
FEW_FAILURES = 5
LOOK_EVERY = timedelta(minutes=10)


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
class LastLook:
    """When the conditions were tested last in this step, and at how many requests and failures; None and 0: not yet."""

    at: datetime | None = None
    requests: int = 0
    failures: int = 0


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


def is_look_due(now: Figures, last: LastLook, min_requests: int, at: datetime) -> bool:
    """Whether enough has happened since the last look for another test of the conditions: requests have grown, or
    failures have, or some minutes have passed. Without the last two a long step would see late what broke late."""
    if now.requests < min_requests or now.requests <= last.requests:
        return False
    failures = now.errors + now.fallbacks
    return (
        now.requests >= last.requests * GROWTH
        or failures >= last.failures * GROWTH + FEW_FAILURES
        or last.at is None
        or at - last.at >= LOOK_EVERY
    )

"""What a rollout does in which order: strategies and steps, from plain data. No database, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from modelwright.core.errors import ValidationFailed

MOST_STEPS = 20
LONGEST_MINUTES = 60 * 24 * 90
MOST_REQUESTS = 100_000_000


class Strategy(StrEnum):
    """How another version comes to answer."""

    CANARY = "canary"
    BLUE_GREEN = "blue_green"
    SHADOW = "shadow"
    AB = "ab"


@dataclass(frozen=True, slots=True)
class Step:
    """So much percent of the requests for the candidate, until `minutes` have passed and it got `requests`."""

    weight: int
    minutes: float = 10.0
    requests: int = 0

    def as_json(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return asdict(self)


USUAL: Mapping[Strategy, tuple[Step, ...]] = {
    Strategy.CANARY: (Step(5, 10, 100), Step(25, 10, 200), Step(50, 10, 200)),
    Strategy.BLUE_GREEN: (Step(100, 10),),
    Strategy.SHADOW: (Step(0, 60, 200),),
    Strategy.AB: (Step(50, 60 * 24 * 7, 1000),),
}


def steps_of(strategy: Strategy, given: Sequence[Mapping[str, Any]] | None) -> tuple[Step, ...]:
    """The steps as they were given, else the usual ones. Raises ValidationFailed, naming the step."""
    if not given:
        return USUAL[strategy]
    if len(given) > MOST_STEPS:
        raise _wrong(f"There are {len(given)} steps.", f"Give at most {MOST_STEPS}.")
    steps = tuple(_step(number, each) for number, each in enumerate(given, start=1))
    _check(strategy, steps)
    return steps


def _step(number: int, given: Mapping[str, Any]) -> Step:
    if not isinstance(given, Mapping):
        raise _wrong(f"Step {number} is no object.", "Give weight, minutes and requests.")
    if unknown := sorted(map(str, given.keys() - {"weight", "minutes", "requests"})):
        raise _wrong(f"Step {number} has {', '.join(unknown)}.", "A step has weight, minutes and requests alone.")
    weight = _number(number, "weight", given.get("weight", 0), 100, whole=True)
    minutes = _number(number, "minutes", given.get("minutes", 0), LONGEST_MINUTES)
    requests = _number(number, "requests", given.get("requests", 0), MOST_REQUESTS, whole=True)
    if not minutes and not requests:
        raise _wrong(f"Step {number} would be over at once.", "Give it minutes, requests, or both.")
    return Step(int(weight), float(minutes), int(requests))


def _number(number: int, name: str, value: Any, most: int, *, whole: bool = False) -> float:
    is_number = isinstance(value, int) or (isinstance(value, float) and (not whole or value.is_integer()))
    if isinstance(value, bool) or not is_number or not 0 <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise _wrong(f"Step {number} has {name} {str(value)[:40]!r}.", f"Give {kind} from 0 to {most}.")
    return float(value)


def _check(strategy: Strategy, steps: Sequence[Step]) -> None:
    weights = [step.weight for step in steps]
    if strategy is Strategy.CANARY and any(before >= after for before, after in pairwise([0, *weights])):
        raise _wrong("The weights of a canary do not grow.", "Give each step more than the one before, from 1 on.")
    if strategy is Strategy.BLUE_GREEN and weights != [100]:
        raise _wrong("Blue/green moves all requests at once.", "Give one step of weight 100: how long it is watched.")
    if strategy is Strategy.SHADOW and weights != [0]:
        raise _wrong("A shadow answers no client.", "Give one step of weight 0: how long it runs.")
    if strategy is Strategy.AB and (len(weights) != 1 or not 0 < weights[0] < 100):
        raise _wrong("An A/B test has one pair of weights.", "Give one step with a weight from 1 to 99.")


def _wrong(message: str, remedy: str) -> ValidationFailed:
    return ValidationFailed(message, remedy=remedy, field="steps")


@dataclass(frozen=True, slots=True)
class Share:
    """One version in a deployment of a rollout: its weight, and its role by name."""

    is_candidate: bool
    weight: int
    role: str


def shares_of(strategy: Strategy, weight: int) -> tuple[Share, Share]:
    """What base and candidate get in a step of so much weight. The base stays warm in it even without requests."""
    if strategy is Strategy.SHADOW:
        return Share(False, 100, "live"), Share(True, 0, "shadow")
    return Share(False, 100 - weight, "live"), Share(True, weight, "canary")


# Beside what serves and asked by nobody: a node of no graph.
STANDBY = (Share(False, 100, "live"), Share(True, 0, "node"))

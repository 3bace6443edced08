"""Steps, and what is decided from plain facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.rollouts.conditions import Figures, Finding
from models.rollouts.deciding import LOOK_EVERY, Action, LastLook, Situation, decide, is_look_due
from models.rollouts.plan import USUAL, Step, Strategy, shares_of, steps_of
from modelwright.core.errors import ValidationFailed

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("canary", [{"weight": 0, "minutes": 1}]),
        ("canary", [{"weight": 10, "minutes": 1}, {"weight": 10, "minutes": 1}]),
        ("canary", [{"weight": 10}]),
        ("canary", [{"weight": 101, "minutes": 1}]),
        ("canary", [{"weight": 10, "minutes": -1}]),
        ("canary", [{"weight": 10, "minutes": float("nan")}]),
        ("canary", [{"weight": 10.5, "minutes": 1}]),
        ("canary", [{"weight": True, "minutes": 1}]),
        ("canary", [{"weight": 10, "minutes": 1, "share": 3}]),
        ("canary", ["10"]),
        ("canary", [{"weight": n, "minutes": 1} for n in range(1, 22)]),
        ("blue_green", [{"weight": 50, "minutes": 1}]),
        ("shadow", [{"weight": 5, "minutes": 1}]),
        ("ab", [{"weight": 100, "minutes": 1}]),
        ("ab", [{"weight": 30, "minutes": 1}, {"weight": 50, "minutes": 1}]),
    ],
)
def test_wrong_steps_are_refused(strategy: str, steps: list[Any]) -> None:
    with pytest.raises(ValidationFailed) as raised:
        steps_of(Strategy(strategy), steps)
    assert raised.value.errors[0].field == "steps"
    assert raised.value.remedy


def test_usual_steps_are_steps() -> None:
    for strategy, usual in USUAL.items():
        assert steps_of(strategy, [step.as_json() for step in usual]) == usual == steps_of(strategy, None)


def test_weights_add_up_and_a_shadow_answers_nobody() -> None:
    for weight in range(101):
        assert sum(share.weight for share in shares_of(Strategy.CANARY, weight)) == 100
    base, shadow = shares_of(Strategy.SHADOW, 0)
    assert (base.weight, shadow.weight, shadow.role) == (100, 0, "shadow")


def situation(**facts: Any) -> Situation:
    usual: dict[str, Any] = {
        "strategy": Strategy.CANARY,
        "steps": (Step(5, 10, 100), Step(50, 10)),
        "step": 0,
        "began_at": NOW - timedelta(minutes=11),
        "is_paused": False,
        "is_proved": False,
        "deployment_state": "live",
        "deployment_detail": "",
        "is_newest": True,
        "requests": 100,
    }
    return Situation(**{**usual, **facts})


BROKEN = (Finding("max_error_rate", "broken", "20 of 20 failed."),)


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        ({}, Action.NEXT),
        ({"requests": 99}, Action.WAIT),
        ({"began_at": NOW - timedelta(minutes=9)}, Action.WAIT),
        ({"is_record_late": True}, Action.WAIT),
        ({"is_paused": True}, Action.WAIT),
        ({"findings": BROKEN}, Action.STOP),
        ({"findings": BROKEN, "is_paused": True}, Action.STOP),
        ({"findings": BROKEN, "is_newest": False}, Action.GIVE_WAY),
        ({"began_at": None}, Action.BEGIN),
        ({"began_at": None, "deployment_state": "starting"}, Action.WAIT),
        ({"began_at": None, "deployment_state": "failed"}, Action.FAIL),
        ({"deployment_state": "superseded"}, Action.GIVE_WAY),
        ({"step": 2, "began_at": None}, Action.END),
        ({"strategy": Strategy.BLUE_GREEN, "steps": (Step(100, 5),), "began_at": None}, Action.PROVE),
        (
            {"strategy": Strategy.BLUE_GREEN, "steps": (Step(100, 5),), "began_at": None, "is_proved": True},
            Action.BEGIN,
        ),
    ],
)
def test_what_is_next(facts: dict[str, Any], action: Action) -> None:
    assert decide(situation(**facts), NOW).action is action


def test_a_stop_says_why() -> None:
    assert decide(situation(findings=BROKEN), NOW).words == "20 of 20 failed."


def test_looks_become_rarer_as_requests_grow() -> None:
    looks, last = 0, LastLook()
    for requests in range(1, 10_001):
        if is_look_due(Figures(requests), last, 20, NOW):
            looks, last = looks + 1, LastLook(NOW, requests)
    assert 25 < looks < 45
    assert not is_look_due(Figures(19), LastLook(), 20, NOW)


def test_what_breaks_late_in_a_long_step_is_looked_at_soon() -> None:
    last = LastLook(NOW, requests=50_000, failures=40)
    assert not is_look_due(Figures(50_010, errors=45), last, 20, NOW + timedelta(minutes=1))
    assert is_look_due(Figures(50_015, errors=55), last, 20, NOW + timedelta(minutes=1))
    assert is_look_due(Figures(50_001), last, 20, NOW + LOOK_EVERY)
    # Without another request there is nothing to see.
    assert not is_look_due(Figures(50_000), last, 20, NOW + 10 * LOOK_EVERY)

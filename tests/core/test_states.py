"""State machines and time-ordered ids."""

from __future__ import annotations

import time

import pytest

from modelwright.core.ids import new_id
from modelwright.core.states import StateMachine

LIGHT = StateMachine(
    "light", {"red": frozenset({"green"}), "green": frozenset({"red", "broken"}), "broken": frozenset()}
)


def test_sources_are_what_may_come_before() -> None:
    assert LIGHT.sources("red") == {"green"}
    assert LIGHT.sources("broken") == {"green"}


def test_terminal_and_live_states() -> None:
    assert LIGHT.terminal == {"broken"}
    assert LIGHT.live == {"red", "green"}


def test_unknown_states_are_refused() -> None:
    with pytest.raises(ValueError, match="no state"):
        LIGHT.sources("blue")
    with pytest.raises(ValueError, match="unknown states"):
        StateMachine("light", {"red": frozenset({"blue"})})


def test_ids_sort_by_time_and_are_version_7() -> None:
    first = new_id()
    time.sleep(0.002)
    second = new_id()
    assert first < second
    assert first.version == 7
    assert first.variant == "specified in RFC 4122"
    assert len({new_id() for _ in range(1000)}) == 1000

"""State machines and time-ordered ids."""

from __future__ import annotations

import time
import uuid

import pytest

from modelwright.core.ids import new_id, new_ids_hex
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


def test_many_ids_at_once_are_like_those_made_one_by_one() -> None:
    before, many, after = new_id(), new_ids_hex(500), new_id()
    assert many == sorted(set(many))
    assert all(uuid.UUID(each).version == 7 and uuid.UUID(each).variant == uuid.RFC_4122 for each in many)
    assert before.time_low <= uuid.UUID(many[0]).time_low <= after.time_low
    assert before.int >> 64 <= int(many[0], 16) >> 64 <= after.int >> 64
    assert new_ids_hex(0) == []

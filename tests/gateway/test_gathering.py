"""When a frame is held for company."""

from __future__ import annotations

from models.gateway.gathering import Gathering


def test_nothing_is_held_before_a_frame_came_back() -> None:
    assert Gathering().wait_seconds(0.0, 1) == 0.0


def test_a_single_client_is_never_held() -> None:
    gathering = Gathering()
    for turn in range(20):
        gathering.returned(turn, service_seconds=1.0, rows_under_way=1, replicas=1)
        assert gathering.wait_seconds(turn, 1) == 0.0


def test_under_load_a_frame_waits_for_those_just_answered_and_leaves_when_they_are_back() -> None:
    gathering = Gathering()
    gathering.returned(5.0, service_seconds=0.05, rows_under_way=64, replicas=1)
    assert 0 < gathering.wait_seconds(5.0, 10) <= 0.01
    assert gathering.wait_seconds(5.001, 64) == 0.0


def test_two_replicas_share_those_under_way() -> None:
    gathering = Gathering()
    gathering.returned(5.0, service_seconds=0.05, rows_under_way=64, replicas=2)
    assert gathering.wait_seconds(5.0, 31) > 0
    assert gathering.wait_seconds(5.0, 32) == 0.0


def test_a_frame_is_never_held_longer_than_a_part_of_a_prediction() -> None:
    gathering = Gathering()
    gathering.returned(5.0, service_seconds=0.02, rows_under_way=8, replicas=1)
    assert gathering.wait_seconds(5.0, 1) <= 0.02 * 0.6
    assert gathering.wait_seconds(5.0121, 1) == 0.0


def test_a_fast_model_is_not_waited_for() -> None:
    gathering = Gathering()
    gathering.returned(5.0, service_seconds=0.0005, rows_under_way=64, replicas=1)
    assert gathering.wait_seconds(5.0, 1) == 0.0


def test_holding_is_tried_more_rarely_where_nobody_comes_back() -> None:
    gathering = Gathering()
    held = 0
    for turn in range(1000):
        gathering.returned(turn, service_seconds=0.05, rows_under_way=64, replicas=1)
        held += gathering.wait_seconds(turn, 5) > 0
        assert gathering.wait_seconds(turn + 0.5, 5) == 0.0
    assert held < 30


def test_the_frame_of_a_fast_model_stays_as_long_as_each_turn_brings_more() -> None:
    gathering = Gathering()
    gathering.returned(5.0, service_seconds=0.0003, rows_under_way=32, replicas=1)
    assert gathering.is_quick
    assert [gathering.grows(rows) for rows in (8, 20, 20)] == [True, True, False]
    gathering.returned(5.1, service_seconds=0.0003, rows_under_way=32, replicas=1)
    assert [gathering.grows(rows) for rows in (8, 32)] == [True, False]


def test_the_frame_of_a_slow_model_or_of_a_single_client_does_not_stay_for_a_turn() -> None:
    gathering = Gathering()
    assert not gathering.grows(1)
    gathering.returned(5.0, service_seconds=0.02, rows_under_way=32, replicas=1)
    assert not gathering.is_quick
    assert not gathering.grows(8)
    gathering.returned(5.1, service_seconds=0.0003, rows_under_way=1, replicas=1)
    assert not gathering.grows(1)

"""How many replicas a load speaks for: plain numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.availability.autoscaling import Advice, Bounds, Measured, Patience, Told, advice, measured
from models.availability.gateway_load import parse

BOUNDS = Bounds(fewest=1, most=8, concurrency=16, queue_ms=100)


def advised(concurrency: float, current: int, *, queue_ms: float = 5, refused: int = 0, all_answer: bool = True) -> int:
    return advice(Measured(concurrency, queue_ms, refused), current, BOUNDS, all_answer=all_answer).replicas


def test_concurrency_is_the_time_that_requests_took_over_the_time_that_passed() -> None:
    before = Told(seconds=100, queue_seconds=1, frames=50, refused=3)
    load = measured(before, Told(seconds=180, queue_seconds=3, frames=70, refused=4, waiting=2), 10)
    assert load == Measured(concurrency=8, queue_ms=100, refused=1)
    assert measured(before, Told(seconds=100, queue_seconds=1, frames=50, refused=3, waiting=40), 10) == Measured(
        concurrency=40, queue_ms=None, refused=0
    ), "what hangs shows by what waits"
    assert measured(before, Told(seconds=1), 10) is None, "the gateway was started anew"
    assert measured(before, before, 0) is None


def test_it_follows_concurrency_and_not_a_tenth_of_it() -> None:
    assert [advised(load, 2) for load in (33, 35, 36, 60)] == [2, 2, 3, 4]
    assert [advised(load, 2) for load in (29, 20, 3, 0)] == [2, 2, 1, 1]
    assert advised(1000, 2) == 4, "no more than twice as many at a time"
    assert advised(1000, 8) == 8, "never more than the endpoint may have"


def test_a_queue_or_a_refusal_wants_one_more_once_all_replicas_answer() -> None:
    assert advised(30, 2, queue_ms=101) == 3
    assert advised(30, 2, refused=1) == 3
    assert advised(30, 2, queue_ms=101, refused=1, all_answer=False) == 2
    assert advised(0, 8, queue_ms=500) == 8


def test_it_falls_to_the_highest_of_the_last_minutes() -> None:
    patience = Patience(300)
    assert patience.decide(0, Advice(1, ""), 4).replicas == 4, "nothing is known of the minutes before"
    assert patience.decide(100, Advice(3, ""), 4).replicas == 4
    assert patience.decide(299, Advice(1, ""), 4).replicas == 4
    assert patience.decide(301, Advice(1, ""), 4).replicas == 3
    assert patience.decide(390, Advice(1, ""), 3).replicas == 3
    assert patience.decide(401, Advice(1, ""), 3).replicas == 1
    assert patience.decide(402, Advice(5, ""), 1).replicas == 5


@given(
    st.floats(0, 1e6),
    st.integers(1, 100),
    st.none() | st.floats(0, 1e6),
    st.integers(0, 10**6),
    st.booleans(),
    st.tuples(st.integers(1, 100), st.integers(0, 99), st.floats(0.1, 1e4), st.floats(0.1, 6e5)),
)
def test_whatever_is_measured_the_number_stays_within_the_bounds(
    concurrency: float,
    current: int,
    queue_ms: float | None,
    refused: int,
    all_answer: bool,
    given_bounds: tuple[int, int, float, float],
) -> None:
    fewest, more, target, queue = given_bounds
    bounds = Bounds(fewest, fewest + more, target, queue)
    found = advice(Measured(concurrency, queue_ms, refused), current, bounds, all_answer=all_answer)
    assert bounds.fewest <= found.replicas <= bounds.most
    assert found.reason


def test_the_gateways_metrics_are_read_line_by_line() -> None:
    text = """# TYPE modelwright_gateway_requests_total counter
modelwright_gateway_requests_total{endpoint="acme/wine",status="200"} 17
modelwright_gateway_requests_total{endpoint="acme/wine",status="429"} 3
modelwright_gateway_requests_total{endpoint="",status="404"} 9
modelwright_gateway_request_seconds_bucket{endpoint="acme/wine",le="0.001"} 1
modelwright_gateway_request_seconds_sum{endpoint="acme/wine"} 0.25
modelwright_gateway_queue_seconds_sum{endpoint="acme/wine"} 0.05
modelwright_gateway_queue_seconds_count{endpoint="acme/wine"} 10
modelwright_gateway_waiting_requests{endpoint="acme/wine"} 4
modelwright_gateway_waiting_requests{endpoint="acme/idle"} 0
modelwright_model_x{endpoint="acme/wine"} nonsense
modelwright_gateway_batches_total 4
"""
    assert parse(text) == {
        "acme/wine": Told(seconds=0.25, queue_seconds=0.05, frames=10, refused=3, waiting=4),
        "acme/idle": Told(),
    }

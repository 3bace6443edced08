"""Conditions decide by tests that a few requests cannot decide, and that many looks do not wear out."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from math import comb
from typing import Any

import pytest

from models.predictions import histogram
from models.rollouts.chances import at_least, at_least_as_many
from models.rollouts.conditions import Conditions, Figures, conditions_of, judge
from models.rollouts.deciding import LastLook, is_look_due
from modelwright.core.errors import ValidationFailed

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
ONLY_ERRORS = Conditions(max_p99_ratio=None, max_fallback_rate=None, max_replica_deaths=None)


def figures(requests: int, errors: int = 0, latency_ms: float = 5.0, **facts: Any) -> Figures:
    counts = histogram.empty()
    counts[histogram.place(latency_ms)] = requests - errors
    return Figures(requests, errors, facts.pop("fallbacks", 0), tuple(counts), **facts)


def outcomes(conditions: Conditions, candidate: Figures, base: Figures, look: int = 1) -> dict[str, str]:
    return {each.condition: each.outcome for each in judge(conditions, candidate, base, look=look)}


@pytest.mark.parametrize(("hits", "trials", "share"), [(1, 3, 0.05), (9, 40, 0.05), (40, 40, 0.5), (12, 1000, 0.01)])
def test_the_binomial_tail_is_the_sum_of_its_terms(hits: int, trials: int, share: float) -> None:
    terms = (comb(trials, n) * share**n * (1 - share) ** (trials - n) for n in range(hits, trials + 1))
    assert at_least(hits, trials, share) == pytest.approx(sum(terms), rel=1e-9)


@pytest.mark.parametrize(
    ("hits", "trials", "base_hits", "base_trials"), [(1, 3, 0, 50), (9, 60, 2, 90), (5, 5, 1, 500)]
)
def test_fishers_test_is_the_sum_of_its_terms(hits: int, trials: int, base_hits: int, base_trials: int) -> None:
    every, both = hits + base_hits, trials + base_trials
    ways = sum(comb(trials, n) * comb(base_trials, every - n) for n in range(hits, min(every, trials) + 1))
    assert at_least_as_many(hits, trials, base_hits, base_trials) == pytest.approx(ways / comb(both, every), rel=1e-9)


def test_large_numbers_take_no_time_and_no_overflow() -> None:
    assert at_least(60_000, 1_000_000, 0.05) < 1e-100
    assert at_least_as_many(1200, 10**7, 1000, 10**7) < 1e-4
    assert at_least(0, 0, 0.5) == at_least_as_many(0, 0, 3, 5) == 1.0


def test_one_failed_request_of_three_does_not_decide() -> None:
    assert set(outcomes(Conditions(), figures(3, 1), figures(100)).values()) <= {"waits", "holds"}
    assert set(outcomes(Conditions(min_requests=3), figures(3, 1), figures(100)).values()) == {"holds"}


def test_fewer_requests_than_were_asked_for_decide_nothing_however_bad_they_are() -> None:
    few = outcomes(Conditions(min_requests=20), figures(19, 19, deaths=2), figures(1000))
    assert few.pop("max_replica_deaths") == "broken", "what dies needs no requests"
    assert set(few.values()) == {"waits"}
    beside_few = outcomes(Conditions(min_requests=20), figures(100, 90), figures(19))
    waiting = {name for name, outcome in beside_few.items() if outcome == "waits"}
    assert waiting == {"no_more_errors_than_base", "max_p99_ratio"}, "the base is too little known to compare with"
    assert beside_few["max_error_rate"] == "broken"


def test_a_version_that_fails_is_found_at_the_first_look() -> None:
    found = outcomes(ONLY_ERRORS, figures(20, 20), figures(380))
    assert found == {"max_error_rate": "broken", "no_more_errors_than_base": "broken"}


def test_errors_that_the_base_has_too_are_no_reason_against_the_candidate() -> None:
    found = outcomes(ONLY_ERRORS, figures(200, 40), figures(2000, 390))
    assert found == {"max_error_rate": "broken", "no_more_errors_than_base": "holds"}


def test_a_candidate_that_fails_little_but_more_than_the_base_is_found() -> None:
    found = outcomes(ONLY_ERRORS, figures(1000, 30), figures(10_000, 20))
    assert found == {"max_error_rate": "holds", "no_more_errors_than_base": "broken"}


def test_slow_answers_are_found_by_the_tail_and_not_by_one_outlier() -> None:
    slow = outcomes(Conditions(), figures(100, latency_ms=80), figures(1000, latency_ms=5))
    assert slow["max_p99_ratio"] == "broken"
    counts = list(figures(99, latency_ms=5).latency)
    counts[histogram.place(900)] += 1
    one = Figures(100, 0, 0, tuple(counts))
    assert outcomes(Conditions(), one, figures(1000, latency_ms=5))["max_p99_ratio"] == "holds"
    # A millisecond more is twice as slow and no trouble.
    assert outcomes(Conditions(), figures(500, latency_ms=2), figures(999, latency_ms=0.5))["max_p99_ratio"] == "holds"


def test_answers_that_shift_by_more_than_allowed_are_found() -> None:
    conditions = Conditions(max_answer_shift=0.2)
    base = figures(1000, answers={"accept": 700, "refuse": 300})
    assert (
        outcomes(conditions, figures(200, answers={"accept": 10, "refuse": 190}), base)["max_answer_shift"] == "broken"
    )
    assert (
        outcomes(conditions, figures(200, answers={"accept": 120, "refuse": 80}), base)["max_answer_shift"] == "holds"
    )
    assert outcomes(conditions, figures(20, answers={"accept": 9, "refuse": 11}), base)["max_answer_shift"] == "holds"


def test_fallbacks_and_dead_replicas_count() -> None:
    found = outcomes(Conditions(), figures(100, fallbacks=60), figures(100))
    assert found["max_fallback_rate"] == "broken"
    assert outcomes(Conditions(), figures(0, deaths=2), figures(0))["max_replica_deaths"] == "broken"


def test_looking_again_and_again_stops_no_good_version() -> None:
    """Both versions fail as often; 400 rollouts of 3,000 requests, looked at after every few of them."""
    chance, stopped = random.Random(5), 0
    for _ in range(400):
        candidate = base = candidate_errors = base_errors = looks = 0
        last = LastLook()
        for _ in range(150):
            candidate, base = candidate + 20, base + 80
            candidate_errors += sum(chance.random() < 0.03 for _ in range(20))
            base_errors += sum(chance.random() < 0.03 for _ in range(80))
            if is_look_due(Figures(candidate, candidate_errors), last, ONLY_ERRORS.min_requests, NOW):
                looks, last = looks + 1, LastLook(NOW, candidate, candidate_errors)
                pair = figures(candidate, candidate_errors), figures(base, base_errors)
                if "broken" in outcomes(ONLY_ERRORS, *pair, look=looks).values():
                    stopped += 1
                    break
    # At most 1 % by construction; 12 of 400 or more would come in one of 1,500 such tests.
    assert stopped < 12


def test_a_base_of_few_requests_stops_no_version_that_is_as_fast() -> None:
    """One request in twenty is slow with both. The base got few requests: its percentile is a guess."""
    chance, stopped, conditions = random.Random(7), 0, Conditions()
    for _ in range(200):
        counts = {name: histogram.empty() for name in ("candidate", "base")}
        looks, last = 0, LastLook()
        for _ in range(20):
            for name, share in (("candidate", 90), ("base", 10)):
                for _ in range(share):
                    counts[name][histogram.place(500.0 if chance.random() < 0.05 else 20.0)] += 1
            pair = [Figures(sum(each), 0, 0, tuple(each)) for each in (counts["candidate"], counts["base"])]
            if pair[1].requests >= 20 and is_look_due(pair[0], last, 20, NOW):
                looks, last = looks + 1, LastLook(NOW, pair[0].requests)
                if outcomes(conditions, pair[0], pair[1], look=looks)["max_p99_ratio"] == "broken":
                    stopped += 1
                    break
    # At most 1 % by construction; before the shares were compared as well it was one in five.
    assert stopped < 8


def test_a_version_that_is_slower_is_found() -> None:
    found = outcomes(Conditions(), figures(200, latency_ms=500.0), figures(200, latency_ms=20.0))
    assert found["max_p99_ratio"] == "broken"


@pytest.mark.parametrize(
    "given",
    [
        {"max_error_rate": 2},
        {"max_error_rate": "much"},
        {"min_requests": 0},
        {"min_requests": None},
        {"no_more_errors_than_base": 1},
        {"max_replica_deaths": 1.5},
        {"max_latency": 3},
        {"confidence": True},
    ],
)
def test_wrong_conditions_are_refused_with_their_name(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed) as raised:
        conditions_of(given)
    assert next(iter(given)) in raised.value.message
    assert raised.value.remedy


def test_what_is_not_watched_is_null() -> None:
    made = conditions_of({"max_error_rate": None, "min_requests": 7})
    assert (made.max_error_rate, made.min_requests, made.max_replica_deaths) == (None, 7, 1)
    assert conditions_of(made.as_json()) == made

"""Frames of several gateways share a call of the model, and nobody waits for one that does not come."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from modelwright_runtime.server.batching import Job, Predictions
from modelwright_runtime.server.company import LONGEST_SECONDS, Company
from modelwright_runtime.server.patience import MOST_SKIPPED
from modelwright_runtime.server.results import Outcome

A, B = frozenset({1}), frozenset({2})


def after_a_call(company: Company, now: float, *, seconds: float = 0.01) -> None:
    """Both were answered together; the estimate of how long a call takes has settled."""
    for _ in range(40):
        company.answered(now, service_seconds=seconds, origins=A, waiting=B)


def test_whoever_was_answered_together_is_waited_for_together() -> None:
    company = Company()
    assert company.wait_seconds(0.0, A) == 0.0
    after_a_call(company, 1.0)
    assert 0.0 < company.wait_seconds(1.0, A) <= LONGEST_SECONDS
    assert company.wait_seconds(1.001, A | B) == 0.0
    assert company.wait_seconds(1.002, A) == 0.0, "the decision holds until the next call has ended"


def test_one_gateway_never_waits_and_a_quick_model_makes_nobody_wait() -> None:
    company = Company()
    company.answered(1.0, service_seconds=0.01, origins=A, waiting=frozenset())
    assert company.wait_seconds(1.0, A) == 0.0
    after_a_call(company, 2.0, seconds=0.0005)
    assert company.wait_seconds(2.0, A) == 0.0


def test_waiting_in_vain_is_tried_more_and_more_rarely() -> None:
    company = Company()
    held = 0
    for number in range(1000):
        now = float(number)
        company.answered(now, service_seconds=0.01, origins=A, waiting=B)
        if company.wait_seconds(now, A):
            held += 1
            assert company.wait_seconds(now + LONGEST_SECONDS, A) == 0.0
    assert 1000 / MOST_SKIPPED < held < 40


class Slow:
    """Takes as long for one row as for many; remembers how many rows each call had."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        self.calls.append(len(rows))
        time.sleep(0.02)
        return Outcome([0] * len(rows))


def shared_calls() -> int:
    """Of forty that each of two gateways makes, those that they made together."""
    model = Slow()
    predictions = Predictions(model)
    predictions.start()

    def gateway(origin: int) -> None:
        for _ in range(40):
            answered = threading.Event()
            predictions.submit(
                Job(("x",), [[1]] * 8, lambda kind, payload, answered=answered: answered.set(), None, origin)  # type: ignore[misc]
            )
            assert answered.wait(30)
            time.sleep(0.001)

    threads = [threading.Thread(target=gateway, args=(origin,)) for origin in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(model.calls) == 2 * 40 * 8
    return model.calls.count(16)


def test_two_gateways_that_ask_again_after_each_answer_share_calls() -> None:
    # Without company they alternate for ever, a call for each. A busy machine wakes one of them too late now and then,
    # but not in most of the calls each time.
    assert any(shared_calls() >= 20 for _ in range(5))

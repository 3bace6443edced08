"""Smoke tests of a version before anybody else may ask it: its example, answers that it gave before, and what the
endpoint was asked lately."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from models.endpoints.smoking import ask, healthy_replicas, question_of
from models.predictions.models import Prediction
from models.predictions.redacted import holds_redacted
from models.predictions.reexecution import answer_of
from models.replays.golden import Golden, difference, golden_requests
from models.rollouts.models import Rollout

# Of its own recorded answers, and of the endpoint's newest requests.
MOST_KNOWN = 10
MOST_RECENT = 20
MOST_RECORDS = 20
# A candidate that answers slowly must not keep other rollouts from being stopped.
LONGEST_SECONDS = 60.0


class Case(NamedTuple):
    """Records to ask, where they come from, and the answer where it is known."""

    what: str
    records: list[dict[str, Any]]
    expected: Golden | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of it: whether all was well, in words, and each case that was asked of each replica."""

    passed: bool
    words: str
    results: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """As evidence keeps it: failures first."""
        shown = sorted(self.results, key=lambda result: bool(result["ok"]))[:50]
        return {"passed": self.passed, "asked": len(self.results), "cases": shown}


def prove(rollout: Rollout) -> Proof:
    """Ask every replica of the candidate every case. Nothing of it is recorded as a prediction."""
    replicas = healthy_replicas(rollout.endpoint, rollout.model_version)
    if not replicas:
        return Proof(False, "None of its replicas answers.", [])
    results: list[dict[str, Any]] = []
    until = time.monotonic() + LONGEST_SECONDS
    for case in cases_of(rollout):
        for replica in replicas:
            error, milliseconds = _ask(rollout, case, replica)
            if not error and time.monotonic() > until:
                error = f"All questions together took longer than {LONGEST_SECONDS:.0f} s."
            results.append(
                {
                    "case": case.what,
                    "replica": str(replica.pk),
                    "ok": not error,
                    "error": error,
                    "milliseconds": milliseconds,
                }
            )
            if error:
                # One is enough, and other rollouts wait meanwhile.
                words = f"Answer {len(results)} was not as it should be. {case.what}: {error}"
                return Proof(False, words, results)
    if not results:
        return Proof(True, "It has no example, and nothing was asked here before: its replicas are up.", [])
    return Proof(True, f"{len(results)} questions were answered as they should be.", results)


def _ask(rollout: Rollout, case: Case, replica: Any) -> tuple[str, float]:
    try:
        question = question_of(rollout.model_version, case.records)
    except ValueError as error:
        return f"It takes no such input: {error}", 0.0
    reply = ask(replica, question)
    if reply.payload is None:
        return reply.error, reply.milliseconds
    try:
        answer = answer_of(reply.payload)
    except ValueError as error:
        return f"Its answer is none: {error}.", reply.milliseconds
    if len(answer.outputs) != len(case.records):
        return f"{len(case.records)} records gave {len(answer.outputs)} answers.", reply.milliseconds
    if case.expected is not None and (changed := difference(case.expected, reply.payload, replica.served_by)):
        return f"It answered something else before. {changed}", reply.milliseconds
    return "", reply.milliseconds


def cases_of(rollout: Rollout) -> Iterator[Case]:
    """What there is to ask: the example, its own answers on record, and the endpoint's newest requests."""
    if isinstance(rollout.model_version.example, dict):
        yield Case("its example", [rollout.model_version.example])
    for golden in golden_requests(rollout.endpoint, rollout.model_version, MOST_KNOWN):
        if _can_be_asked(golden.inputs):
            whose = "the golden request" if golden.is_pinned else "its answer"
            yield Case(f"{whose} {golden.prediction_id.hex}", golden.inputs, golden)
    asked = Prediction.objects.filter(deployment_id=rollout.before_id, status=200).exclude(protocol="batch")
    for prediction in asked.order_by("-id")[:MOST_RECENT]:
        if _can_be_asked(prediction.inputs):
            yield Case(f"the request {prediction.pk.hex}", prediction.inputs)


def _can_be_asked(inputs: Any) -> bool:
    is_whole = isinstance(inputs, list) and 0 < len(inputs) <= MOST_RECORDS
    return is_whole and all(isinstance(record, dict) for record in inputs) and not holds_redacted(inputs)

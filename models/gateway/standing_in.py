"""Lets a fallback answer a request that its model did not: a rule at once, another version as soon as it can."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from models.gateway.choosing import WEIGHT
from models.gateway.fleet import Fleet
from models.gateway.pending import Pending, Prediction
from models.gateway.routes import FALLBACK, Target
from models.gateway.rules import Rule
from models.gateway.signature import Invalid

NO_REPLICA, STOPPED, FAILED = "no_replica", "stopped", "model_error"
# The client has waited for long when the model is given up.
LONGEST_SECONDS = 5.0
_CODE = re.compile(r"[a-z_]{1,40}")


class StandIns:
    """`predicted` takes what rules say, `timeout` bounds what another version may take, in seconds."""

    def __init__(self, fleet: Fleet, predicted: Callable[[Sequence[Prediction]], None], timeout: float) -> None:
        self._fleet = fleet
        self._predicted = predicted
        self._timeout = min(timeout, LONGEST_SECONDS)

    def take(self, pending: Pending, why: str, error: dict[str, str] | None = None) -> bool:
        """Whether the endpoint's fallback takes the request, whose records fit the signature. It is then answered by
        it, and `pending` is done. `why` is a word, `error` what the model said."""
        endpoint = pending.endpoint
        fallback = endpoint.fallback
        if fallback is None or pending.is_shadow or (pending.facts is not None and "fallback" in pending.facts):
            return False
        facts = {**(pending.facts or {"role": pending.target.role}), "fallback": _word(why)}
        if error is not None:
            facts["error"] = error
        if fallback.rule is not None:
            self._by_rule(pending, fallback.rule, facts)
            return True
        return endpoint.stand_in is not None and self._by_version(pending, endpoint.stand_in, facts)

    def _by_rule(self, pending: Pending, rule: Rule, facts: dict[str, Any]) -> None:
        predictions, probabilities = rule.answers(pending.records)
        taken = pending.handed_over(pending.target._replace(served_by=rule.served_by), facts)
        self._predicted([Prediction(taken, predictions, probabilities)])

    def _by_version(self, pending: Pending, target: Target, facts: dict[str, Any]) -> bool:
        queue, now = self._fleet.queue(target), time.monotonic()
        if queue is None or not queue.is_available() or queue.refusal(pending.endpoint.name, pending.size, now):
            return False
        try:
            frame = target.signature.check(pending.records)
        except Invalid:
            return False
        meant = {"instead_of": pending.target.model_version_id, "in_role": pending.target.role}
        assignment = {"by": WEIGHT, **(facts.get("assignment") or {}), **meant}
        taken = pending.handed_over(target, {**facts, "role": FALLBACK, "assignment": assignment})
        taken.columns, taken.rows = frame
        taken.deadline = max(taken.deadline, now + self._timeout)
        queue.submit(taken)
        return True


def _word(why: str) -> str:
    return why if _CODE.fullmatch(why) else FAILED

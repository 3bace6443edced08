"""Walks of requests, with replicas asked: one queue per version, so that requests share batches at every node."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from models.gateway.fleet import Fleet
from models.gateway.graphs.conditions import Chances
from models.gateway.graphs.feeding import Unfed, records_for
from models.gateway.graphs.graph import Node
from models.gateway.graphs.serving import Served
from models.gateway.graphs.walking import Ask, NodeFailure, Walk
from models.gateway.pending import Failure, Pending, Prediction
from models.gateway.responses import Response, problem
from models.gateway.routes import Target
from models.gateway.signature import Invalid

logger = logging.getLogger(__name__)

NO_REPLICA, TIMED_OUT = "no_replica", "timed_out"
_TOLD_ERRORS = 3


class Outcomes(NamedTuple):
    """Who takes what came of a client's request: its answer, a failure of a node, or that a node has no replica."""

    predicted: Callable[[Sequence[Prediction]], None]
    failed: Callable[[Failure], None]
    unreachable: Callable[[Pending], None]


class _Walking:
    """A client's request on its way through a graph, and the questions that are out."""

    __slots__ = ("client", "open", "served", "walk")

    def __init__(self, client: Pending, served: Served) -> None:
        self.client = client
        self.served = served
        self.walk = Walk(served.graph, client.records)
        self.open: set[Pending] = set()


class Walks:
    """All walks under way. `is_idle` as long as there is none."""

    def __init__(self, fleet: Fleet, outcomes: Outcomes) -> None:
        self._fleet = fleet
        self._outcomes = outcomes
        self._asked: dict[Pending, tuple[_Walking, Ask]] = {}
        self._answered: list[Prediction] = []

    @property
    def is_idle(self) -> bool:
        """Whether no question of any graph is out."""
        return not self._asked

    def begin(self, client: Pending, served: Served) -> None:
        """Take a request whose records fit; it will come out through the outcomes."""
        walking = _Walking(client, served)
        self._go_on(walking, self._next(walking, served.graph.start, walking.walk.begin))
        self._flush()

    def through(self, results: Sequence[Prediction]) -> list[Prediction]:
        """Take what is an answer to a node; what is left are answers to clients, those that are complete now too."""
        kept: list[Prediction] = []
        for result in results:
            found = self._asked.pop(result.pending, None)
            if found is None:
                kept.append(result)
            else:
                self._landed(*found, result)
        kept += self._answered
        self._answered = []
        return kept

    def failed(self, failure: Failure) -> bool:
        """Whether it is the failure of a node, which is then taken care of."""
        found = self._asked.pop(failure.pending, None)
        if found is not None:
            self._lost(failure.pending, *found, failure.code, failure.message)
        return found is not None

    def unreachable(self, pending: Pending) -> bool:
        """Whether it is a node's question that no replica took, which is then taken care of."""
        found = self._asked.pop(pending, None)
        if found is not None:
            self._lost(pending, *found, NO_REPLICA, _no_replica(pending.target))
        return found is not None

    def _landed(self, walking: _Walking, ask: Ask, result: Prediction) -> None:
        asked = result.pending
        _close(asked)
        walking.open.discard(asked)
        facts = _facts(asked.target, asked.received)
        try:
            asks = walking.walk.answered(ask, result.predictions, result.probabilities, facts)
        except Exception:
            # Its client would wait for ever, and those of the other answers in this frame too.
            logger.exception("the answer of %s could not be taken", ask.node.name)
            walking.walk.break_off(ask, facts)
            asks = []
        self._go_on(walking, asks)

    def _lost(self, asked: Pending, walking: _Walking, ask: Ask, code: str, message: str) -> None:
        _close(asked, failed=True)
        walking.open.discard(asked)
        facts = _facts(asked.target, asked.received)
        failed = partial(walking.walk.failed, ask, code, message, facts)
        self._go_on(walking, self._next(walking, ask.node.name, failed))
        self._flush()

    def _go_on(self, walking: _Walking, asks: Iterable[Ask]) -> None:
        ahead = deque(asks)
        while ahead and not walking.walk.is_over:
            ask = ahead.popleft()
            ahead.extend(self._next(walking, ask.node.name, partial(self._tried, walking, ask)))
        if walking.walk.is_over:
            self._end(walking)

    def _next(self, walking: _Walking, node: str, step: Callable[[], list[Ask]]) -> list[Ask]:
        """Whom to ask after the step. Whatever goes wrong in it ends this walk alone, and its client is answered."""
        try:
            return step()
        except Exception:
            logger.exception("the graph of %s could not go on at %s", walking.client.endpoint.name, node)
            walking.walk.give_up(node)
            return []

    def _tried(self, walking: _Walking, ask: Ask) -> list[Ask]:
        """Ask; whom to ask instead, where that cannot be."""
        trouble = self._ask(walking, ask)
        if trouble is None:
            return []
        target = walking.served.targets[ask.node.name]
        return walking.walk.failed(ask, *trouble, _facts(target, None))

    def _ask(self, walking: _Walking, ask: Ask) -> tuple[str, str] | None:
        """Send the question on its way, or say why it cannot be sent: a word and a sentence."""
        node, client = ask.node, walking.client
        target = walking.served.targets[node.name]
        queue, now = self._fleet.queue(target), time.monotonic()
        if queue is None or not queue.is_available():
            return NO_REPLICA, _no_replica(target)
        try:
            records = records_for(walking.walk, ask, walking.served.columns[node.name])
            frame = target.signature.check(records)
        except Unfed as error:
            return "cannot_feed", f"{error}."
        except Invalid as invalid:
            return "does_not_fit", _misfits(target, invalid)
        pending = Pending(
            client.match,
            target,
            client.key_id,
            records,
            _nobody,
            encode=_unread,
            at=client.at,
            received=now,
            deadline=_deadline(node, client, now),
            size=client.size,
            trace=client.trace,
        )
        pending.endpoint = client.endpoint
        pending.columns, pending.rows = frame
        if client.spans is not None:
            pending.spans = client.spans.asks(node.name, pending)
        self._asked[pending] = walking, ask
        walking.open.add(pending)
        queue.submit(pending)
        return None

    def _end(self, walking: _Walking) -> None:
        client, walk = walking.client, walking.walk
        for pending in walking.open:
            _close(pending)
            self._asked.pop(pending, None)
        walking.open.clear()
        if client.done:
            return
        failure = walk.failure
        if failure is not None and failure.code == NO_REPLICA:
            self._outcomes.unreachable(client)
            return
        client.facts = {**(client.facts or {}), "nodes": walk.steps}
        if failure is not None:
            response = _response(client, walking.served, failure)
            self._outcomes.failed(Failure(client, response, failure.code, f"{failure.node}: {failure.message}"))
            return
        self._answered.append(Prediction(client, walk.answers, _common(walk.chances)))

    def _flush(self) -> None:
        if self._answered:
            answered, self._answered = self._answered, []
            self._outcomes.predicted(answered)


def _close(asked: Pending, *, failed: bool = False) -> None:
    """Nobody waits for the answer to this question any more."""
    asked.done = True
    if asked.spans is not None:
        asked.spans.ended(failed=failed)


def _facts(target: Target, since: float | None) -> dict[str, Any]:
    """What the record says of a node's answer besides."""
    facts: dict[str, Any] = {
        "model_version_id": target.model_version_id,
        "model": target.model,
        "version": target.version,
        "served_by": target.served_by,
    }
    if since is not None:
        facts["latency_ms"] = round((time.monotonic() - since) * 1000, 3)
    return facts


def _common(chances: Sequence[Chances]) -> list[Mapping[str, float | None]] | None:
    """The probabilities that belong to an answer: those of the same classes, in the same order, for every record; None
    where records have none or such of other classes, as other nodes answered them."""
    found = [each for each in chances if each]
    if len(found) < len(chances) or any(each.keys() != found[0].keys() for each in found):
        return None
    return [{name: each[name] for name in found[0]} for each in found]


def _deadline(node: Node, client: Pending, now: float) -> float:
    return client.deadline if node.timeout is None else min(client.deadline, now + node.timeout)


def _no_replica(target: Target) -> str:
    return f"No replica of {target.model} version {target.version} answers at the moment."


def _misfits(target: Target, invalid: Invalid) -> str:
    told = [f"{error['field']}: {error['message']}" for error in invalid.errors[:_TOLD_ERRORS]]
    return f"What it is given does not fit the signature of {target.model} version {target.version}. " + " ".join(told)


def _response(client: Pending, served: Served, failure: NodeFailure) -> Response:
    node = served.graph.nodes[failure.node]
    what = f"{node.model} version {served.targets[node.name].version}" if node.is_asked else f"a {node.kind}"
    remedy = "The page of the prediction shows what each node answered; see the log of that node's replica."
    if failure.code == TIMED_OUT:
        remedy = "Send fewer records at once, or try again; if it goes on, look at that node's replica and its load."
    return problem(
        504 if failure.code == TIMED_OUT else 502,
        f"The node {node.name} ({what}) of {client.endpoint.name} could not answer: {failure.message}",
        title="Model did not answer in time" if failure.code == TIMED_OUT else "Node failed",
        remedy=remedy,
        errors=[{"field": f"nodes.{node.name}", "code": failure.code, "message": failure.message, "remedy": remedy}],
    )


def _nobody(_response: Response) -> None:
    """No client waits for a node's answer."""


def _unread(_result: Prediction, _prediction_id: str) -> Response:
    return Response(200, b"")

"""From a request to its answer: who asks, for what, does it fit, and is it recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from models.gateway import answers, feedback, openapi, paths, scraping
from models.gateway.addresses import Access
from models.gateway.admission import Bounds
from models.gateway.availability import Availability
from models.gateway.batching import Batch, BatchQueue, Outlet
from models.gateway.choosing import Choice, Chooser, pinned, unit_of
from models.gateway.fallbacks import HEADER as FALLBACK_HEADER
from models.gateway.fleet import Fleet
from models.gateway.graphs.running import Outcomes, Walks
from models.gateway.http import MAX_HEADS, Request, Slot
from models.gateway.http_messages import Head
from models.gateway.ids import new_prediction_id, new_prediction_ids
from models.gateway.metrics import Metrics
from models.gateway.observing import exposition
from models.gateway.pending import Failure, Pending, Prediction
from models.gateway.protocols import BY_NAME
from models.gateway.protocols.base import Asked, BadBody, State
from models.gateway.recording import Recorder
from models.gateway.responses import PROBLEM, TEXT, Response, unavailable
from models.gateway.routes import EMPTY, Endpoint, Match, RouteTable
from models.gateway.routing import HEADER
from models.gateway.shadowing import Shadowing
from models.gateway.siblings import Siblings
from models.gateway.signature import Invalid
from models.gateway.spool import RecordTooLarge
from models.gateway.spool_writer import SpoolRefused, SpoolWriter
from models.gateway.standing_in import NO_REPLICA, STOPPED, StandIns

if TYPE_CHECKING:
    from models.gateway.tracing import Tracing

logger = logging.getLogger(__name__)


class Application:
    """Answers requests by the current route table. `timeout` bounds a prediction, in seconds."""

    def __init__(
        self,
        spool: SpoolWriter,
        *,
        timeout: float,
        routes_error: Callable[[], str | None],
        access: Access,
        siblings: Siblings,
        bounds: Bounds = Bounds(),  # noqa: B008 - immutable
        tracing: Tracing | None = None,
        metrics_token: str = "",
        gateway_id: str = "gateway",
    ) -> None:
        self._spool = spool
        self._siblings = siblings
        self._tracing = tracing
        self._metrics_token = metrics_token
        self._timeout = timeout
        self._routes_error = routes_error
        self._table = EMPTY
        # What heads ask for that were let in by this table: to let one in again costs one look-up.
        self._known: dict[Head | None, tuple[Match, str]] = {}
        self._recorder = Recorder(access.token)
        self.metrics = Metrics()
        self._availability = Availability(gateway_id)
        outlet = Outlet(self._predicted, self._failed, self._unreachable, self._sent, self._timed)
        self.fleet = Fleet(outlet, access, bounds)
        self._chooser = Chooser(self.fleet.is_available, self._recorder.unit)
        self._stand_ins = StandIns(self.fleet, self._predicted, timeout)
        self._walks = Walks(self.fleet, Outcomes(self._predicted, self._failed, self._unreachable))
        self._shadowing = Shadowing(self.fleet, timeout=timeout, failed=self._failed, count=self.metrics.shadowed)

    def apply(self, table: RouteTable) -> None:
        """Serve by this table from the next request on."""
        self._table = table
        self._known.clear()
        self.fleet.apply(table)

    @property
    def revision(self) -> int:
        """Of the table in use here."""
        return self._table.revision

    def exposition(self, *, with_replicas: bool = True) -> bytes:
        """The metrics of this process."""
        return exposition(self._table, self.fleet, self._spool, self.metrics, with_replicas=with_replicas)

    def report(self) -> None:
        """Tell the spool how many requests were answered and how many should have been."""
        self._availability.report(self._table, self.metrics, self._spool, time.time())

    def refuse(self, method: bytes, path: bytes, authorization: bytes, size: int) -> Response | None:
        """A refusal that needs no body: wrong method, unknown endpoint, wrong key, no room for `size` bytes."""
        match, _, refusal = self._look_up(method, path, authorization)
        if refusal is not None or match is None or match.operation != paths.PREDICT:
            return refusal
        now = time.monotonic()
        refusals = [self.fleet.refusal(match.endpoint, target, size, now) for target in match.endpoint.weighted]
        return refusals[0] if refusals and all(refusals) else None

    def _look_up(
        self, method: bytes, path: bytes, authorization: bytes
    ) -> tuple[Match | None, str | None, Response | None]:
        """What is asked for and the id of the key; or the refusal; none of them for a page."""
        match = self._table.match(path)
        if match is None:
            is_page = path in _PAGES
            refusal = None if is_page and method in _READING else answers.not_found(method, path, is_page)
            return None, None, refusal
        if match.operation in (paths.PREDICT, paths.FEEDBACK):
            if method != b"POST":
                is_feedback = match.operation == paths.FEEDBACK
                return match, None, feedback.ONLY_POSTED if is_feedback else answers.METHOD_NOT_ALLOWED
        elif match.operation == paths.UNKNOWN:
            return match, None, answers.not_spoken(match, path)
        elif method not in _READING:
            return match, None, answers.NOT_CHANGED
        key_id = key_id_of(match.endpoint, authorization)
        return match, key_id, None if key_id is not None else answers.wrong_key(authorization)

    def _look_up_whole(self, request: Request) -> tuple[Match | None, str | None, Response | None]:
        """As `_look_up`, of a request whose headers are known: they may name a version. If it is let in, so will be by
        this table whatever comes with the same head."""
        match, key_id, refusal = self._look_up(request.method, request.path, request.authorization)
        if match is None or key_id is None or refusal is not None:
            return match, key_id, refusal
        match = pinned(match, request.headers)
        if request.head is not None:
            if len(self._known) >= MAX_HEADS:
                self._known.clear()
            self._known[request.head] = match, key_id
        return match, key_id, None

    def refused(self, path: bytes, response: Response) -> Response:
        """Count what was refused before it was a request; the refusal as the path's clients read it."""
        match = self._table.match(path)
        name = "" if match is None else match.endpoint.name
        self.metrics.count(name, response.status)
        if match is not None and match.operation != paths.PREDICT:
            self.metrics.is_other(name, response.status)
        return response if match is None else BY_NAME[match.protocol].refusal(response)

    def handle(self, request: Request, slot: Slot) -> None:
        """Answer now, or when the prediction is recorded."""
        # The table may have changed since the head of the request was looked at.
        known = self._known.get(request.head)
        match, key_id, refusal = self._look_up_whole(request) if known is None else (*known, None)
        name = "" if match is None else match.endpoint.name

        def answer(response: Response) -> None:
            self.metrics.count(name, response.status)
            if match is not None and response.content_type is PROBLEM:
                response = BY_NAME[match.protocol].refusal(response)
            slot.answer(response)

        try:
            if refusal is not None:
                answer(refusal)
            elif match is None or key_id is None:
                slot.answer(self._page(request))
            elif match.operation == paths.PREDICT:
                self._predict(match, key_id, request, answer)
            else:
                response = self._other(match, key_id, request.body)
                self.metrics.is_other(name, response.status)
                answer(response)
        except Exception:
            # Whoever called answers that it is our fault.
            self.metrics.count(name, 500)
            raise

    def _other(self, match: Match, key_id: str, body: bytes) -> Response:
        """The answer to what asks for no prediction."""
        if match.operation == paths.FEEDBACK:
            return self._take_feedback(match.endpoint, key_id, body)
        if match.operation == paths.OPENAPI:
            return Response(200, openapi.document(match.endpoint))
        state = State(self._spool.refusal() is None, self.fleet.is_available)
        return BY_NAME[match.protocol].read(match, state)

    def _predict(self, match: Match, key_id: str, request: Request, answer: Callable[[Response], None]) -> None:
        refusal = self._spool.refusal(request.received)
        if refusal is not None:
            answer(_not_recorded(refusal))
            return
        endpoint, target, asked = match.endpoint, match.endpoint.plain, None
        facts, unit = None, None
        if target is None or match.model:
            try:
                asked, choice = self._choose(match, key_id, request)
            except BadBody as error:
                answer(error.response)
                return
            if choice is None:
                answer(answers.not_served(match) if match.model else answers.no_target(endpoint))
                return
            target, facts, unit = choice
        queue = self.fleet.queue(target)
        size, received = len(request.body), request.received
        if queue is None:  # no replica, or a graph
            too_busy = self.fleet.refusal(endpoint, target, size, received)
        else:
            too_busy = queue.refusal(endpoint.name, size, received)
        if too_busy:
            answer(too_busy)
            return
        if asked is None:
            try:
                asked = BY_NAME[match.protocol].decode(request, match, target)
            except BadBody as error:
                answer(error.response)
                return
        trace = request.headers.get(b"traceparent") if request.headers else None
        pending = Pending(
            match,
            target,
            key_id,
            asked.records,
            answer,
            encode=asked.encode,
            at=time.time(),
            received=received,
            deadline=received + self._timeout,
            size=size,
            trace=None if trace is None else trace.decode("latin-1"),
            facts=facts,
            unit=unit,
        )
        if self._tracing is not None:
            pending.spans = self._tracing.begin(pending)
            if pending.spans is not None:
                pending.trace = pending.spans.traceparent
        self._submit(pending, queue)

    def _choose(self, match: Match, key_id: str, request: Request) -> tuple[Asked | None, Choice | None]:
        """Who answers where that takes a closer look; and the records, where they had to be read for it. Raises
        `BadBody`."""
        assign = match.endpoint.routing.assign
        if assign is None or assign.by == HEADER or match.is_pinned:
            return None, self._chooser.choose(match, key_id, unit_of(match, request.headers, None))
        first = self._chooser.choose(match, key_id, None)
        if first is None:
            return None, None
        asked = BY_NAME[match.protocol].decode(request, match, first.target)
        choice = self._chooser.choose(match, key_id, unit_of(match, request.headers, asked.records))
        # Another version may have other columns.
        return asked if choice is not None and choice.target is first.target else None, choice

    def _take_feedback(self, endpoint: Endpoint, key_id: str, body: bytes) -> Response:
        try:
            return feedback.accept(endpoint, key_id, body, self._spool)
        except SpoolRefused as refused:
            return _not_recorded(refused)
        except RecordTooLarge as error:
            return answers.too_large_to_record(error.size)

    def _submit(self, pending: Pending, queue: BatchQueue | None) -> None:
        try:
            pending.columns, pending.rows = pending.target.signature.check(pending.records)
        except Invalid as invalid:
            pending.finish(answers.does_not_fit(pending.endpoint, pending.target, invalid))
            return
        if pending.endpoint.is_stopped:
            if not self._stand_ins.take(pending, STOPPED):
                pending.finish(answers.no_target(pending.endpoint))
        elif queue is not None:
            queue.submit(pending)
        elif pending.target.graph is not None:
            self._walks.begin(pending, pending.target.graph)
        else:
            self._no_replica(pending)

    def _no_replica(self, pending: Pending) -> None:
        if not self._stand_ins.take(pending, NO_REPLICA):
            pending.finish(answers.no_replica(pending.endpoint))

    def _unreachable(self, pending: Pending) -> None:
        """No replica took it; when the table has changed meanwhile, the new one decides, once."""
        if pending.done or self._walks.unreachable(pending):
            return
        endpoint = self._table.endpoints.get(pending.endpoint.name)
        can_move = not pending.rerouted and not pending.is_shadow and not _stands_in(pending)
        if endpoint is not None and can_move and _has_moved(endpoint, pending):
            match = pending.match._replace(endpoint=endpoint)
            choice = self._chooser.choose(match, pending.key_id, pending.unit)
            if choice is not None:
                pending.rerouted = True
                pending.broken = 0
                pending.endpoint = endpoint
                pending.target, pending.facts, _ = choice
                self._submit(pending, self.fleet.queue(choice.target))
                return
        self._no_replica(pending)

    def _predicted(self, results: Sequence[Prediction]) -> None:
        """Record all of them by one write, then answer all of them."""
        now = time.monotonic()
        if not self._walks.is_idle:
            results = self._walks.through(results)
        unanswered = [result for result in results if not result.pending.done]
        if not unanswered:
            return
        live: list[tuple[Prediction, str]] = []
        records: list[bytes] = []
        for result, id_ in zip(unanswered, new_prediction_ids(len(unanswered)), strict=True):
            try:
                records.append(self._recorder.predicted(result, id_, now))
            except RecordTooLarge as error:
                result.pending.finish(answers.too_large_to_record(error.size))
            else:
                live.append((result, id_))
        if not live:
            return
        try:
            self._spool.append(b"".join(records))
        except SpoolRefused as refused:
            response = _not_recorded(refused)
            for result, _id in live:
                result.pending.finish(response)
            return
        self.metrics.predicted([result.pending for result, _id in live if not result.pending.is_shadow], now)
        self._answer_recorded(live)

    def _answer_recorded(self, live: Sequence[tuple[Prediction, str]]) -> None:
        """Answer what is on record. All are encoded before the first leaves: answers that leave one right after the
        other find their clients awake, which costs the system less."""
        encoded = [(result.pending, self._encoded(result, id_)) for result, id_ in live]
        for pending, response in encoded:
            pending.finish(response)
        for result, id_ in live:
            if result.pending.endpoint.shadows and not result.pending.is_shadow:
                self._shadowing.ask(result.pending, id_)

    def _encoded(self, result: Prediction, prediction_id: str) -> Response:
        """The answer. One that cannot be written in its protocol keeps no other request of the batch waiting: a
        fallback's rule may say what a protocol has no words for."""
        pending = result.pending
        if pending.spans is not None:
            pending.spans.recorded(prediction_id)
        why = None if pending.facts is None else pending.facts.get("fallback")
        try:
            response = pending.encode(result, prediction_id)
        except Exception:
            logger.exception("an answer of %s cannot be written in %s", pending.endpoint.name, pending.protocol)
            response = answers.unspoken(pending.endpoint, pending.protocol, prediction_id, by_fallback=bool(why))
        if not why:
            return response
        self.metrics.fell_back(pending.endpoint.name, why)
        return response._replace(headers=(*response.headers, (FALLBACK_HEADER, why.encode())))

    def _sent(self, batch: Batch, rows: int, waited: float) -> str | None:
        if not batch[0].is_shadow:
            self.metrics.sent(batch[0].endpoint.name, rows, waited)
        return None if self._tracing is None else self._tracing.sent(batch, rows)

    def _timed(self, batch: Batch, timing: Any) -> None:
        if self._tracing is not None:
            self._tracing.answered(batch, timing)

    def _failed(self, failure: Failure) -> None:
        """Record that the model failed it, then say so. What cannot be recorded is said all the same: it is no answer
        that anybody builds on."""
        if failure.pending.done or self._walks.failed(failure):
            return
        if failure.pending.endpoint.fallback is not None:
            told = {"code": failure.code, "message": failure.message}
            if self._stand_ins.take(failure.pending, failure.code, told):
                return
        id_, response = new_prediction_id(), failure.response
        try:
            self._spool.append(self._recorder.failed(failure, id_, time.monotonic()))
        except (SpoolRefused, RecordTooLarge):
            logger.warning("a request of %s that its model failed is not on record", failure.pending.endpoint.name)
        else:
            response = response._replace(headers=(*response.headers, (answers.PREDICTION_ID, id_.encode())))
        failure.pending.finish(response)

    def _page(self, request: Request) -> Response:
        path = request.path
        if path == b"/metrics":
            closed = scraping.refusal(self._metrics_token, request.authorization)
            return closed or Response(200, self._siblings.all_metrics(self.exposition()), TEXT)
        if path == b"/health/live":
            return Response(200, b'{"status":"live"}')
        trouble = self._routes_error()  # Before the rest: it looks for a new table first.
        refusal = self._spool.refusal()
        unavailable_endpoints = sorted(
            endpoint.name
            for endpoint in self._table.endpoints.values()
            if not endpoint.is_stopped and not any(map(self.fleet.is_available, endpoint.weighted))
        )
        state = {
            "status": "ready" if refusal is None else "refusing",
            "revision": self._siblings.lowest_revision(self._table.revision),
            "processes": self._siblings.count(),
            "endpoints": len(self._table.endpoints),
            "endpoints_without_replica": len(unavailable_endpoints),
            "routes_error": trouble,
            "spool": "writing" if refusal is None else refusal.detail,
            "spool_bytes": self._spool.total_bytes,
        }
        return Response(200 if refusal is None else 503, orjson.dumps(state))


_READING = (b"GET", b"HEAD")
_PAGES = frozenset((b"/health/live", b"/health/ready", b"/metrics"))


def key_id_of(endpoint: Endpoint, authorization: bytes) -> str | None:
    """The id of the key presented to the endpoint, None when it has no such key. The work does not depend on the key:
    one digest and one look-up by digest."""
    scheme, _, key = authorization.partition(b" ")
    digest = sha256(key.strip()).hexdigest()
    return endpoint.keys.get(digest) if scheme.lower() == b"bearer" else None


def _has_moved(endpoint: Endpoint, pending: Pending) -> bool:
    """Whether the endpoint has another deployment than the request was sent to, or other replicas. As long as these
    are its own, the request is not tried on others: it may be the one that ends them."""
    if endpoint.deployment_id != pending.endpoint.deployment_id:
        return True
    return all(target.sockets != pending.target.sockets for target in endpoint.targets)


def _stands_in(pending: Pending) -> bool:
    """Whether it was handed to a fallback."""
    return pending.facts is not None and "fallback" in pending.facts


def _not_recorded(refused: SpoolRefused) -> Response:
    return unavailable(refused.detail, remedy=refused.remedy, title="Prediction not recorded")

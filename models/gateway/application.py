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
from models.gateway.batching import Batch, BatchQueue, Outlet
from models.gateway.fleet import Fleet
from models.gateway.http import MAX_HEADS, Request, Slot
from models.gateway.http_messages import Head
from models.gateway.ids import new_prediction_id, new_prediction_ids
from models.gateway.metrics import Metrics
from models.gateway.observing import exposition
from models.gateway.pending import Failure, Pending, Prediction
from models.gateway.protocols import BY_NAME
from models.gateway.protocols.base import BadBody, State
from models.gateway.recording import Recorder
from models.gateway.responses import PROBLEM, TEXT, Response, unavailable
from models.gateway.routes import EMPTY, Endpoint, Match, RouteTable
from models.gateway.siblings import Siblings
from models.gateway.signature import Invalid
from models.gateway.spool import RecordTooLarge
from models.gateway.spool_writer import SpoolRefused, SpoolWriter

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
    ) -> None:
        self._spool = spool
        self._siblings = siblings
        self._tracing = tracing
        self._metrics_token = metrics_token
        self._timeout = timeout
        self._routes_error = routes_error
        self._table = EMPTY
        self._known: dict[Head, tuple[Match, str]] = {}
        self._recorder = Recorder(access.token)
        self.metrics = Metrics()
        outlet = Outlet(self._predicted, self._failed, self._unreachable, self._sent, self._timed)
        self.fleet = Fleet(outlet, access, bounds)

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

    def refuse(self, method: bytes, path: bytes, authorization: bytes, size: int) -> Response | None:
        """A refusal that needs no body: wrong method, unknown endpoint, wrong key, no room for `size` bytes."""
        match, _, refusal = self._look_up(method, path, authorization)
        if refusal is not None or match is None or match.operation != paths.PREDICT:
            return refusal
        targets = [target for target in match.endpoint.targets if target.weight]
        now = time.monotonic()
        refusals = [self.fleet.refusal(match.endpoint, target, size, now) for target in targets]
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

    def _known_or_looked_up(self, request: Request) -> tuple[Match | None, str | None, Response | None]:
        """As `_look_up`. A head that was let in by this table is let in again: that costs one access."""
        head = request.head
        if head is None:
            return self._look_up(request.method, request.path, request.authorization)
        known = self._known.get(head)
        if known is not None:
            return known[0], known[1], None
        match, key_id, refusal = self._look_up(request.method, request.path, request.authorization)
        if match is not None and key_id is not None and refusal is None:
            if len(self._known) >= MAX_HEADS:
                self._known.clear()
            self._known[head] = match, key_id
        return match, key_id, refusal

    def refused(self, path: bytes, response: Response) -> Response:
        """Count what was refused before it was a request; the refusal as the path's clients read it."""
        match = self._table.match(path)
        self.metrics.count("" if match is None else match.endpoint.name, response.status)
        return response if match is None else BY_NAME[match.protocol].refusal(response)

    def handle(self, request: Request, slot: Slot) -> None:
        """Answer now, or when the prediction is recorded."""
        # The table may have changed since the head of the request was looked at.
        match, key_id, refusal = self._known_or_looked_up(request)
        name = "" if match is None else match.endpoint.name

        def answer(response: Response) -> None:
            self.metrics.count(name, response.status)
            if match is not None and response.content_type is PROBLEM:
                response = BY_NAME[match.protocol].refusal(response)
            slot.answer(response)

        if refusal is not None:
            answer(refusal)
        elif match is None or key_id is None:
            slot.answer(self._page(request))
        elif match.operation == paths.PREDICT:
            self._predict(match, key_id, request, answer)
        elif match.operation == paths.FEEDBACK:
            answer(self._take_feedback(match.endpoint, key_id, request.body))
        elif match.operation == paths.OPENAPI:
            answer(Response(200, openapi.document(match.endpoint)))
        else:
            state = State(self._spool.refusal() is None, self.fleet.is_available)
            answer(BY_NAME[match.protocol].read(match, state))

    def _predict(self, match: Match, key_id: str, request: Request, answer: Callable[[Response], None]) -> None:
        refusal = self._spool.refusal(request.received)
        if refusal is not None:
            answer(_not_recorded(refusal))
            return
        endpoint, is_available = match.endpoint, self.fleet.is_available
        if match.model:
            target = endpoint.pick_named(match.model, match.version, is_available)
        else:
            target = endpoint.pick(is_available)
        if target is None:
            answer(answers.not_served(match) if match.model else answers.no_target(endpoint))
            return
        queue = self.fleet.queue(target)
        too_busy = queue and queue.refusal(endpoint.name, len(request.body), request.received)
        if too_busy:
            answer(too_busy)
            return
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
            received=request.received,
            deadline=request.received + self._timeout,
            size=len(request.body),
            trace=None if trace is None else trace.decode("latin-1"),
        )
        if self._tracing is not None:
            pending.spans = self._tracing.begin(pending)
            if pending.spans is not None:
                pending.trace = pending.spans.traceparent
        self._submit(pending, queue)

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
        if queue is None:
            pending.finish(answers.no_replica(pending.endpoint))
        else:
            queue.submit(pending)

    def _unreachable(self, pending: Pending) -> None:
        """No replica took it; when the table has changed meanwhile, the new one decides, once."""
        endpoint = self._table.endpoints.get(pending.endpoint.name)
        if endpoint is not None and not pending.rerouted and _has_moved(endpoint, pending):
            target = endpoint.pick_named(pending.match.model, pending.match.version, self.fleet.is_available)
            if target is not None:
                pending.rerouted = True
                pending.broken = 0
                pending.endpoint, pending.target = endpoint, target
                self._submit(pending, self.fleet.queue(target))
                return
        pending.finish(answers.no_replica(pending.endpoint))

    def _predicted(self, results: Sequence[Prediction]) -> None:
        """Record all of them by one write, then answer all of them."""
        now = time.monotonic()
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
        self.metrics.predicted([result.pending for result, _id in live], now)
        for result, id_ in live:
            pending = result.pending
            if pending.spans is not None:
                pending.spans.recorded(id_)
            pending.finish(pending.encode(result, id_))

    def _sent(self, batch: Batch, rows: int, waited: float) -> str | None:
        self.metrics.sent(batch[0].endpoint.name, rows, waited)
        return None if self._tracing is None else self._tracing.sent(batch, rows)

    def _timed(self, batch: Batch, timing: Any) -> None:
        if self._tracing is not None:
            self._tracing.answered(batch, timing)

    def _failed(self, failure: Failure) -> None:
        """Record that the model failed it, then say so. What cannot be recorded is said all the same: it is no answer
        that anybody builds on."""
        if failure.pending.done:
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
        refusal = self._spool.refusal()
        unavailable_endpoints = sorted(
            endpoint.name
            for endpoint in self._table.endpoints.values()
            if not any(self.fleet.is_available(target) for target in endpoint.targets if target.weight)
        )
        state = {
            "status": "ready" if refusal is None else "refusing",
            "revision": self._siblings.lowest_revision(self._table.revision),
            "processes": self._siblings.count(),
            "endpoints": len(self._table.endpoints),
            "endpoints_without_replica": len(unavailable_endpoints),
            "routes_error": self._routes_error(),
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


def _not_recorded(refused: SpoolRefused) -> Response:
    return unavailable(refused.detail, remedy=refused.remedy, title="Prediction not recorded")

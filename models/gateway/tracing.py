"""Spans of requests, for a collector that speaks OTLP over HTTP. Imported only where there is one.

A request that is traced has four spans: the request itself, its wait for a replica, the replica's answer as the gateway
sees it, and the model's own work, which the replica tells in the answer's `timing`. Where a graph answers, each
question to a node has a span below the request's, with these three below it. A thread of the SDK sends them; when the
collector does not keep up or does not answer, spans are lost and nothing waits.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from models.gateway.pending import Pending

EXPORT_SECONDS = 5
PAUSE_MILLISECONDS = 1000

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Tracing:
    """Decides which requests are traced: those whose caller traces, and `ratio` of those whose caller says nothing."""

    def __init__(self, url: str, ratio: float) -> None:
        self._ratio = ratio
        tracer = exporting(url)
        self._provider, self._gateway = tracer("modelwright-gateway")
        self._server_provider, self._server = tracer("modelwright-model-server")

    def begin(self, pending: Pending) -> RequestTrace | None:
        """The trace of a request, None when it is not traced."""
        parent = parent_of(pending.trace)
        if parent is None:
            if random.random() >= self._ratio:  # noqa: S311 - no secret
                return None
        elif not parent.trace_flags.sampled:
            return None
        around = Context() if parent is None else within(trace.NonRecordingSpan(parent))
        return RequestTrace(self._gateway, self._server, pending, around)

    def sent(self, batch: Sequence[Pending], rows: int) -> str | None:
        """A frame with these requests leaves. What it shall carry as `trace`, None when none of them is traced."""
        traced = [pending.spans for pending in batch if pending.spans is not None]
        for spans in traced:
            spans.sent(rows, [other for other in traced if other is not spans])
        return traced[0].frame_trace() if traced else None

    def answered(self, batch: Sequence[Pending], timing: Any) -> None:
        """The frame came back with this `timing`."""
        for pending in batch:
            if pending.spans is not None:
                pending.spans.answered(timing)

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._provider.shutdown()


class RequestTrace:
    """The spans of one request, or of one question to a node of its graph. `traceparent` is that of its own span."""

    __slots__ = ("_child", "_gateway", "_offset", "_request", "_sent_at", "_server", "traceparent")

    def __init__(
        self, gateway: trace.Tracer, server: trace.Tracer, pending: Pending, around: Context, node: str = ""
    ) -> None:
        self._gateway = gateway
        self._server = server
        # From the clock that requests are measured by to that of the world.
        self._offset = time.time_ns() - time.monotonic_ns()
        self._request = gateway.start_span(
            f"node {node}" if node else f"POST /{pending.endpoint.name}",
            around,
            trace.SpanKind.INTERNAL if node else trace.SpanKind.SERVER,
            {"modelwright.node": node, **_answering(pending)} if node else _asked(pending),
            start_time=int(pending.received * 1e9) + self._offset,
        )
        # A graph itself waits for no replica.
        self._child: trace.Span = trace.INVALID_SPAN
        if pending.target.graph is None:
            self._child = gateway.start_span("queue", within(self._request), start_time=self._now())
        self._sent_at = 0
        self.traceparent = traceparent(self._request.get_span_context())

    def asks(self, node: str, pending: Pending) -> RequestTrace:
        """The spans of a question to that node."""
        return RequestTrace(self._gateway, self._server, pending, within(self._request), node)

    def sent(self, rows: int, others: Sequence[RequestTrace]) -> None:
        """It leaves for a replica, in a frame of so many rows, with these others that are traced too."""
        self._sent_at = self._now()
        self._child.end(self._sent_at)
        self._child = self._gateway.start_span(
            "replica",
            within(self._request),
            trace.SpanKind.CLIENT,
            {"modelwright.batch_rows": rows},
            [trace.Link(other.context()) for other in others],
            start_time=self._sent_at,
        )

    def answered(self, timing: Any) -> None:
        """The replica answered. Its clock may differ from ours, so its work is laid into the middle of our wait."""
        if not self._child.is_recording():
            return  # nobody waited for it any more
        now = self._now()
        queued, predicted, rows = (_whole(timing, name) for name in ("queued_ns", "predict_ns", "rows"))
        spare = now - self._sent_at - queued - predicted
        if spare >= 0 and self._sent_at:
            began = self._sent_at + spare // 2 + queued
            work = self._server.start_span(
                "predict",
                within(self._child),
                trace.SpanKind.SERVER,
                {"modelwright.batch_rows": rows, "modelwright.queued_seconds": queued / 1e9},
                start_time=began,
            )
            work.end(began + predicted)
        self._child.end(now)

    def recorded(self, prediction_id: str) -> None:
        """Its prediction is on record."""
        self._request.set_attribute("modelwright.prediction_id", prediction_id)

    def finished(self, status: int) -> None:
        """The request was answered."""
        self._request.set_attribute("http.response.status_code", status)
        self.ended(failed=status >= 500)

    def ended(self, *, failed: bool) -> None:
        """There is no more to come."""
        now = self._now()
        if failed:
            self._request.set_status(trace.StatusCode.ERROR)
        if self._child.is_recording():
            self._child.end(now)
        self._request.end(now)

    def frame_trace(self) -> str:
        """The traceparent for the frame: the wait for the replica is the parent of what it does."""
        return traceparent(self._child.get_span_context())

    def context(self) -> trace.SpanContext:
        """Of the request's own span, for links."""
        return self._request.get_span_context()

    def _now(self) -> int:
        return time.monotonic_ns() + self._offset


def _asked(pending: Pending) -> dict[str, str | int]:
    return {
        "http.request.method": "POST",
        "modelwright.endpoint": pending.endpoint.name,
        "modelwright.deployment": pending.endpoint.deployment_number,
        "modelwright.protocol": pending.protocol,
        **_answering(pending),
    }


def _answering(pending: Pending) -> dict[str, str | int]:
    return {
        "modelwright.model": pending.target.model,
        "modelwright.version": pending.target.version,
        "modelwright.records": len(pending.records),
    }


def parent_of(header: str | None) -> trace.SpanContext | None:
    """What a `traceparent` names, None when it names nothing."""
    found = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if found is None or (found[4] and header and header.startswith("00")):
        return None
    flags = trace.TraceFlags(int(found[3], 16) & trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=flags)
    return context if context.is_valid else None


def traceparent(context: trace.SpanContext) -> str:
    """The header that names this span."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def exporting(url: str) -> Callable[[str], tuple[TracerProvider, trace.Tracer]]:
    """Makes tracers by the name of a service; all of them tell the collector at that address, by one thread."""
    exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=PAUSE_MILLISECONDS)

    def tracer(service: str) -> tuple[TracerProvider, trace.Tracer]:
        provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
        provider.add_span_processor(processor)
        return provider, provider.get_tracer("modelwright")

    return tracer


def within(span: trace.Span) -> Context:
    """A context in which a span begins below this one."""
    return trace.set_span_in_context(span, Context())


def _whole(timing: Any, name: str) -> int:
    value = timing.get(name) if isinstance(timing, dict) else None
    return value if isinstance(value, int) and 0 <= value < 2**62 else 0

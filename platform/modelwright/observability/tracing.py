"""Spans of requests to the pages, REST and tracking, for a collector that speaks OTLP over HTTP."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context

from models.gateway.tracing import exporting, parent_of, within

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

ROUTE = "modelwright.route"


class Tracing:
    """One span for each request that its caller traces, and for `ratio` of those whose caller says nothing.

    To be made in the process that answers requests, not in the one that forks it.
    """

    def __init__(self, url: str, ratio: float) -> None:
        self._ratio = ratio
        self._provider, self._tracer = exporting(url)("modelwright-web")

    async def answer(self, application: Application, scope: Any, receive: Receive, send: Send) -> None:
        """Let the application answer a request, in a span where it is traced."""
        headers = dict(scope["headers"])
        parent = parent_of(headers.get(b"traceparent", b"").decode("latin-1"))
        chosen = random.random() < self._ratio if parent is None else parent.trace_flags.sampled  # noqa: S311
        if not chosen:
            await application(scope, receive, send)
            return
        around = Context() if parent is None else within(trace.NonRecordingSpan(parent))
        kind, method = trace.SpanKind.SERVER, str(scope["method"])
        with self._tracer.start_as_current_span(method, around, kind, {"http.request.method": method}) as span:

            async def tell(message: Any) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(trace.StatusCode.ERROR)
                await send(message)

            await application(scope, receive, tell)
            if ROUTE in scope:
                span.update_name(f"{method} {scope[ROUTE]}")
                span.set_attribute("http.route", scope[ROUTE])

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._provider.shutdown()

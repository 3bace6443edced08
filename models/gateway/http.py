"""HTTP/1.1 on raw asyncio: keep-alive, pipelining, chunked bodies, and limits on everything a client decides."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple, Protocol, cast

import httptools

from models.gateway.http_messages import KEPT_HEADERS, NO_HEADERS, OWN_HEADERS, Head, Message
from models.gateway.http_refusals import (
    ENCODED,
    HEAD_TOO_LARGE,
    OUR_FAULT,
    TOO_MANY_BODIES,
    TOO_SLOW,
    bad_request,
    body_too_large,
)
from models.gateway.reading import Reading
from models.gateway.responses import Response, render

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5
MAX_PIPELINED = 16
BODILESS = (b"GET", b"HEAD")  # nobody looks at their bodies
MAX_HEADS = 4096
MAX_HEAD_KEPT = 2048
SMALL_BODY = 64 * 1024
MAX_DISCARDED_BYTES = 64 * 1024 * 1024


class Limits(NamedTuple):
    """Sizes in bytes, times in seconds."""

    body: int = 5 * 1024 * 1024
    # Of all large ones that are being read at a time. Those of one key may take as much as they leave to others.
    bodies: int = 256 * 1024 * 1024
    head: int = 16 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    discard_seconds: float = 5.0


class Request(NamedTuple):
    """One request; `path` is without the query, `authorization` is the header's value or empty, `headers` has those of
    `KEPT_HEADERS` and those that begin with `OWN_HEADERS`, by name in small letters."""

    method: bytes
    path: bytes
    authorization: bytes
    body: bytes
    received: float
    content_type: bytes = b""
    headers: Mapping[bytes, bytes] = NO_HEADERS
    head: Head | None = None


class Slot:
    """The place of one answer among the answers of its connection."""

    __slots__ = ("_connection", "close", "data", "head_only")

    def __init__(self, connection: Connection, *, close: bool, head_only: bool) -> None:
        self._connection = connection
        self.close = close
        self.head_only = head_only
        self.data: bytes | None = None

    def answer(self, response: Response) -> None:
        """Give the answer; it leaves when those before it have left."""
        self.close = self.close or response.close or self._connection.site.draining
        self.data = render(response, close=self.close, without_body=self.head_only)
        self._connection.deliver(self)


class Handler(Protocol):
    """What answers requests."""

    def refuse(self, method: bytes, path: bytes, authorization: bytes, size: int) -> Response | None:
        """A refusal that is certain before the body, of `size` bytes as far as the head tells, is read."""

    def refused(self, path: bytes, response: Response) -> Response:
        """That refusal, or one of the limits here, will be answered; in the form that the path's clients read."""

    def handle(self, request: Request, slot: Slot) -> None:
        """Call `slot.answer` once, now or later."""


class Site:
    """The connections of one listening server, and what they share."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self.handler = handler
        self.limits = limits
        self.connections: set[Connection] = set()
        self.draining = False
        self.reading = Reading(limits.bodies)
        self.heads: dict[bytes, Head] = {}

    async def run(self) -> None:
        """Close connections that are too slow, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for connection in list(self.connections):
                connection.sweep(now)

    def drain(self) -> None:
        """From now on each answer closes its connection; those without a request close at once."""
        self.draining = True
        for connection in list(self.connections):
            connection.close_if_idle()


class Connection(asyncio.Protocol):
    """One client. Requests may be pipelined; answers leave in the order of the requests."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._limits = site.limits
        self._handler = site.handler
        self._transport: asyncio.Transport | None = None
        self._slots: deque[Slot] = deque()
        self._parser = httptools.HttpRequestParser(self)
        self._closing = False
        self._reading_paused = False
        self._writing_paused = False
        self._deadline = time.monotonic() + self._limits.head_seconds
        self._message = Message()
        self._in_message = False

    # -- transport ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.site.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.site.reading.release(self._message)
        self.site.connections.discard(self)
        self._slots.clear()

    def data_received(self, data: bytes) -> None:
        if self._closing and not self._message.refused_early:
            return
        end = 0 if self._in_message else data.find(b"\r\n\r\n") + 4
        if end > 4 and not self._closing:
            head = self.site.heads.get(data[:end])
            if head is not None and len(data) == end + head.length:
                self._repeated(head, data[end:])
                return
        self._parse(data)
        if end > 4 and not self._in_message and not self._closing:
            self._keep_head(data, end)

    def _parse(self, data: bytes) -> None:
        if not self._message.in_body:
            self._message.head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._stop_after_answers()
        except httptools.HttpParserCallbackError:
            logger.exception("a request made the gateway fail")
            self._fail(OUR_FAULT)
        except httptools.HttpParserError as error:
            if not self._closing:
                self._fail(bad_request(str(error)))
            elif self._transport is not None:
                self._transport.close()
        message = self._message
        if self._in_message and not message.in_body and not self._closing and message.head_bytes > self._limits.head:
            self._fail(HEAD_TOO_LARGE)
        if len(self._slots) > MAX_PIPELINED:
            self._pause_reading()

    def eof_received(self) -> bool:
        self._closing = True
        self._message.refused_early = False
        return bool(self._slots)

    def pause_writing(self) -> None:
        self._writing_paused = True
        self._deadline = time.monotonic() + self._limits.body_seconds
        self._pause_reading()

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._set_idle_deadline()
        if len(self._slots) <= MAX_PIPELINED // 2:
            self._resume_reading()

    # -- parser ---------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._message = Message()
        self._in_message = True
        self._deadline = time.monotonic() + self._limits.head_seconds

    def on_url(self, url: bytes) -> None:
        self._message.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        message = self._message
        message.header_bytes += len(name) + len(value) + 4
        name = name.lower()
        if name == b"authorization":
            message.authorization = value
        elif name == b"content-length":
            # The parser itself refuses what is no number or too large a one.
            message.length = int(value) if value.isdigit() and len(value) < 19 else 0
        elif name == b"content-type":
            message.content_type = value
        elif name == b"expect":
            message.expects_continue = value.lower() == b"100-continue"
        elif name == b"content-encoding":
            message.encoding = value.lower()
        elif name in KEPT_HEADERS or name.startswith(OWN_HEADERS):
            if message.headers is None:
                message.headers = {}
            message.headers[name] = value

    def on_headers_complete(self) -> None:
        message, limits = self._message, self._limits
        message.in_body = True
        if self._closing:
            return
        self._deadline = time.monotonic() + limits.body_seconds
        message.method = self._parser.get_method()
        message.path = message.url.partition(b"?")[0]
        if message.header_bytes + len(message.url) > limits.head:
            self._refuse_early(HEAD_TOO_LARGE)
        elif message.length > limits.body:
            self._refuse_early(body_too_large(limits.body))
        elif message.encoding not in (b"", b"identity"):
            message.refusal = ENCODED
        elif message.expects_continue or not 0 < message.length <= SMALL_BODY:
            # A small body is read first: whoever sends it is then refused with one look at the key instead of two.
            message.refusal = self._handler.refuse(message.method, message.path, message.authorization, message.length)
            # Only who is let in gets room, and only for what is read by anybody.
            is_kept = message.refusal is None and message.length > SMALL_BODY and message.method not in BODILESS
            if is_kept and not self.site.reading.reserve(message, message.length):
                self._refuse_early(TOO_MANY_BODIES)
        if message.expects_continue and not self._closing:
            self._continue_or_refuse(message.refusal)

    def on_body(self, body: bytes) -> None:
        message = self._message
        message.body_bytes += len(body)
        if message.refused_early:
            if message.body_bytes > MAX_DISCARDED_BYTES and self._transport is not None:
                self._transport.close()
        elif message.body_bytes > self._limits.body:
            message.chunks.clear()
            self._refuse_early(body_too_large(self._limits.body))
        elif message.refusal is None and message.method not in BODILESS:
            if message.body_bytes > message.length and not self.site.reading.reserve(message, len(body)):
                message.chunks.clear()
                self._refuse_early(TOO_MANY_BODIES)
                return
            message.chunks.append(body)

    def on_message_complete(self) -> None:
        message = self._message
        self._in_message = False
        message.in_body = False
        if message.reserved:
            self.site.reading.release(message)
        if message.refused_early:
            message.refused_early = False
            self._close_when_flushed()
            return
        if self._closing:
            return
        slot = Slot(self, close=not self._parser.should_keep_alive(), head_only=message.method == b"HEAD")
        self._slots.append(slot)
        self._closing = slot.close
        self._set_idle_deadline()
        if message.refusal is not None:
            slot.answer(self._handler.refused(message.path, message.refusal))
            return
        body = message.chunks[0] if len(message.chunks) == 1 else b"".join(message.chunks)
        request = Request(
            message.method,
            message.path,
            message.authorization,
            body,
            time.monotonic(),
            message.content_type,
            NO_HEADERS if message.headers is None else message.headers,
        )
        self._handler.handle(request, slot)

    def _repeated(self, head: Head, body: bytes) -> None:
        """A whole request whose head is known. The parser stands between two messages and need not see it."""
        slot = Slot(self, close=False, head_only=False)
        self._slots.append(slot)
        request = Request(
            head.method, head.path, head.authorization, body, time.monotonic(), head.content_type, head.headers, head
        )
        try:
            self._handler.handle(request, slot)
        except Exception:
            logger.exception("a request made the gateway fail")
            self._fail(OUR_FAULT)
        if len(self._slots) > MAX_PIPELINED:
            self._pause_reading()

    def _keep_head(self, data: bytes, end: int) -> None:
        """Remember the head of the request that `data` was, if it was one whole small request and nothing else."""
        message = self._message
        if (
            message.method == b"POST"
            and 0 < message.length <= SMALL_BODY
            and len(data) == end + message.length == end + message.body_bytes
            and end <= MAX_HEAD_KEPT
            and message.refusal is None
            and not message.expects_continue
        ):
            if len(self.site.heads) >= MAX_HEADS:
                self.site.heads.clear()
            self.site.heads[data[:end]] = Head(message)

    # -- answers --------------------------------------------------------------------------------------------------

    def deliver(self, slot: Slot) -> None:
        """The slot has its answer: write it when it is the only one, else what is next in order."""
        if len(self._slots) > 1 or slot.close or self._closing or self._reading_paused or self._transport is None:
            self._flush()
            return
        self._slots.clear()
        self._transport.write(slot.data or b"")
        self._set_idle_deadline()

    def _flush(self) -> None:
        slots = self._slots
        while slots and slots[0].data is not None:
            slot = slots.popleft()
            if self._transport is None:
                return
            self._transport.write(slot.data or b"")
            if slot.close:
                self._closing = True
                slots.clear()
                self._close_when_flushed()
                return
        if not slots:
            self._set_idle_deadline()
            if self._closing:
                self._close_when_flushed()
        if self._reading_paused and len(slots) <= MAX_PIPELINED // 2:
            self._resume_reading()

    def sweep(self, now: float) -> None:
        """Close what overran its time."""
        if now < self._deadline or self._transport is None:
            return
        if self._writing_paused or self._closing:
            if self._writing_paused or not self._slots:
                self._transport.abort()
        elif self._in_message:
            self._fail(TOO_SLOW)
        elif not self._slots:
            self._transport.close()

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered."""
        if not self._in_message and not self._slots and self._transport is not None:
            self._transport.close()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _continue_or_refuse(self, refusal: Response | None) -> None:
        if refusal is not None:
            self._refuse_early(refusal)
        elif not self._slots and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse_early(self, response: Response) -> None:
        """Answer before the body has come, then read it without keeping it, so that the client reads the answer."""
        self._message.refused_early = True
        self.site.reading.release(self._message)
        response = self._handler.refused(self._message.path, response)
        slot = Slot(self, close=True, head_only=self._message.method == b"HEAD")
        self._slots.append(slot)
        self._closing = True
        self._deadline = time.monotonic() + self._limits.discard_seconds
        slot.answer(response)

    def _fail(self, response: Response) -> None:
        """Answer what cannot be read on, after the answers that are still due."""
        self._in_message = False
        self._message.refused_early = False
        self.site.reading.release(self._message)
        self._closing = True
        slot = Slot(self, close=True, head_only=False)
        self._slots.append(slot)
        slot.answer(response)

    def _stop_after_answers(self) -> None:
        self._in_message = False
        self._closing = True
        if self._slots:
            self._slots[-1].close = True
        else:
            self._close_when_flushed()

    def _close_when_flushed(self) -> None:
        if self._transport is not None and not self._message.refused_early and not self._slots:
            self._transport.close()

    def _set_idle_deadline(self) -> None:
        if not self._in_message and not self._writing_paused:
            self._deadline = time.monotonic() + self._limits.idle_seconds

    def _pause_reading(self) -> None:
        if not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self._writing_paused and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()

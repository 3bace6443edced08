"""The gateway's connection to one replica: keeps it open, sends frames, hands back answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import cast

from modelwright_runtime.handshake import Asking, HandshakeError
from modelwright_runtime.server import frames

from models.gateway.addresses import (
    CONNECT_SECONDS,
    Access,
    AddressError,
    BridgeAddress,
    parse,
)
from models.gateway.pongs import MAX_PONG_BYTES
from modelwright.compute.backends.sockets import own_socket
from modelwright.core.far_peers import notice_silence

logger = logging.getLogger(__name__)

FIRST_DELAY = 0.02
LONGEST_DELAY = 1.0
# Between two tries where somebody asks for it.
SHORTEST_REST = 0.02
# A model server answers pings beside its predictions, in a thread of its own, however long they take: whoever leaves
# so many unanswered is not busy but stopped, stuck or cut off. By count, since it is not the replica that is silent
# where the gateway itself did not run.
SILENT_PINGS = 4

Reply = Callable[[frames.Frame | None], None]
_PING = frames.pack(0, frames.PING, b"{}")


class _Link(asyncio.Protocol):
    """A stream of frames. Over the network it begins with the handshake: `asking` is set until that is done.

    `preface` is sent before that.
    """

    def __init__(self, replica: Replica, asking: Asking | None = None, preface: bytes = b"") -> None:
        self._replica, self._preface = replica, preface
        self._reader = frames.FrameReader()
        self._asking = asking
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._asking is None:
            self._replica.connected(self._transport)
        else:
            notice_silence(transport.get_extra_info("socket"))
            if self._preface:
                self._transport.write(self._preface)
            self._timer = asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._too_slow, self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._replica.disconnected()

    def data_received(self, data: bytes) -> None:
        try:
            received = self._reader.feed(data if self._asking is None else self._introduce(self._asking, data))
        except (frames.FrameError, HandshakeError) as error:
            self._replica.complain(str(error))
            if self._transport is not None:
                self._transport.abort()
            return
        for frame in received:
            self._replica.answered(frame)

    def _introduce(self, asking: Asking, data: bytes) -> bytes:
        answer = asking.feed(data)
        if self._transport is not None and answer:
            self._transport.write(answer)
        if not asking.is_done:
            return b""
        self._asking = None
        self._stop_waiting()
        if self._transport is not None:
            self._replica.connected(self._transport)
        return asking.rest

    def _too_slow(self, transport: asyncio.Transport) -> None:
        self._replica.complain(f"no handshake within {CONNECT_SECONDS:.0f} s")
        transport.abort()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Replica:
    """One address, see `addresses`. `on_change` is called when a connection opens, closes or could not be opened."""

    def __init__(self, path: str, on_change: Callable[[Replica], None], access: Access) -> None:
        self.path = path
        self.in_flight = 0
        # Called when nothing is in flight any more, before the last reply is handed back.
        self.on_idle: Callable[[Replica], None] | None = None
        # The payload of its newest pong, not yet looked at.
        self.pong = b""
        self._unanswered = 0
        self._access = access
        self._complaint = ""
        self._on_change = on_change
        self._transport: asyncio.Transport | None = None
        self._replies: dict[int, Reply] = {}
        self._next_id = 1
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._asked_for = asyncio.Event()
        self._delay = FIRST_DELAY

    @property
    def is_connected(self) -> bool:
        """Whether a frame can be sent now."""
        return self._transport is not None

    @property
    def is_silent(self) -> bool:
        """Whether it is connected and has not answered the last pings."""
        return self._unanswered >= SILENT_PINGS

    def start(self) -> None:
        """Connect now and again whenever the connection is lost, until `close`."""
        self._task = asyncio.get_running_loop().create_task(self._keep_connected())

    def ask_for(self) -> None:
        """Somebody needs it: where there is no connection, the next try comes at once."""
        self._asked_for.set()

    def close(self) -> None:
        """Give up the connection for good; frames in flight are answered with None."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.close()

    def send(self, kind: int, payload: bytes, reply: Reply) -> None:
        """Send a frame; `reply` gets the answering frame, or None when the connection broke before it.

        Raises `FrameError` when the payload is too large, `ConnectionError` when there is no connection.
        """
        transport = self._transport
        if transport is None:
            raise ConnectionError(f"no connection to {self.path}")
        correlation_id = self._next_id
        data = frames.pack(correlation_id, kind, payload)
        self._next_id += 1
        self._replies[correlation_id] = reply
        self.in_flight += 1
        transport.write(data)

    def ping(self) -> None:
        """Ask it how it is, where there is a connection; `pong` will hold the answer. It is no work in flight."""
        if self._transport is not None:
            self._unanswered += 1
            self._transport.write(_PING)

    def answered(self, frame: frames.Frame) -> None:
        """A frame came in."""
        if frame.kind == frames.PONG:
            self._unanswered = 0
            self.pong = frame.payload if len(frame.payload) <= MAX_PONG_BYTES else b""
            return
        reply = self._replies.pop(frame.correlation_id, None)
        if reply is not None:
            self.in_flight -= 1
            if self.on_idle is not None and self.in_flight == 0:
                self.on_idle(self)
            reply(frame)

    def complain(self, reason: str) -> None:
        """Log why there is no connection that can be used, once for each reason: it is tried again and again."""
        if reason != self._complaint:
            self._complaint = reason
            logger.warning("no connection to %s: %s", self.path, reason)

    def connected(self, transport: asyncio.Transport) -> None:
        """The connection stands."""
        if self._closed:
            transport.close()
            return
        self._transport = transport
        self._complaint = ""
        self._delay = FIRST_DELAY
        self._on_change(self)

    def disconnected(self) -> None:
        """The connection is gone; whatever was in flight is handed back."""
        self._transport = None
        self._unanswered = 0
        self.pong = b""
        lost, self._replies = self._replies, {}
        self.in_flight = 0
        self._wake.set()
        for reply in lost.values():
            reply(None)
        self._on_change(self)

    async def _keep_connected(self) -> None:
        try:
            address = parse(self.path)
        except AddressError as error:
            logger.error("this replica cannot be used: %s", error)
            return
        while not self._closed:
            self._wake.clear()
            try:
                await self._connect(address)
            except (OSError, TimeoutError) as error:
                self.complain(str(error))
                self._on_change(self)
            else:
                await self._wake.wait()
            await self._rest()

    async def _rest(self) -> None:
        self._asked_for.clear()
        await asyncio.sleep(SHORTEST_REST)
        with contextlib.suppress(TimeoutError):
            # Not all at once: many connections end together with a bridge.
            async with asyncio.timeout(self._delay * random.uniform(0.5, 1)):  # noqa: S311 - no secret
                await self._asked_for.wait()
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    async def _connect(self, address: Path | BridgeAddress) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(address, Path):
            with own_socket(address) as path:
                await loop.create_unix_connection(lambda: _Link(self), path)
            return
        token, tls = self._access.token, self._access.tls
        async with asyncio.timeout(CONNECT_SECONDS):
            await loop.create_connection(
                lambda: _Link(self, Asking(token, address.name), address.preface), address.host, address.port, ssl=tls
            )

"""The gateway's connection to one replica: keeps it open, sends frames, hands back answers."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import cast

from modelwright_runtime.server import frames

logger = logging.getLogger(__name__)

FIRST_DELAY = 0.02
LONGEST_DELAY = 1.0
MAX_SOCKET_PATH_BYTES = 107

Reply = Callable[[frames.Frame | None], None]


class _Link(asyncio.Protocol):
    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._reader = frames.FrameReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._replica.connected(cast("asyncio.Transport", transport))

    def connection_lost(self, exc: Exception | None) -> None:
        self._replica.disconnected()

    def data_received(self, data: bytes) -> None:
        try:
            received = self._reader.feed(data)
        except frames.FrameError as error:
            self._replica.drop(str(error))
            return
        for frame in received:
            self._replica.answered(frame)


class Replica:
    """One socket path. `on_change` is called when a connection opens, closes or could not be opened."""

    def __init__(self, path: str, on_change: Callable[[Replica], None]) -> None:
        self.path = path
        self.in_flight = 0
        self._on_change = on_change
        self._transport: asyncio.Transport | None = None
        self._replies: dict[int, Reply] = {}
        self._next_id = 1
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether a frame can be sent now."""
        return self._transport is not None

    def start(self) -> None:
        """Connect now and again whenever the connection is lost, until `close`."""
        self._task = asyncio.get_running_loop().create_task(self._keep_connected())

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

    def answered(self, frame: frames.Frame) -> None:
        """A frame came in."""
        reply = self._replies.pop(frame.correlation_id, None)
        if reply is not None:
            self.in_flight -= 1
            reply(frame)

    def drop(self, reason: str) -> None:
        """Break a connection that cannot be trusted any more."""
        logger.error("dropping the connection to %s: %s", self.path, reason)
        if self._transport is not None:
            self._transport.abort()

    def connected(self, transport: asyncio.Transport) -> None:
        """The connection stands."""
        self._transport = transport
        self._on_change(self)

    def disconnected(self) -> None:
        """The connection is gone; whatever was in flight is handed back."""
        self._transport = None
        lost, self._replies = self._replies, {}
        self.in_flight = 0
        self._wake.set()
        for reply in lost.values():
            reply(None)
        self._on_change(self)

    async def _keep_connected(self) -> None:
        if len(os.fsencode(self.path)) > MAX_SOCKET_PATH_BYTES:
            logger.error("the socket path %s is too long for a Unix socket; this replica cannot be used", self.path)
            return
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while not self._closed:
            self._wake.clear()
            try:
                await loop.create_unix_connection(lambda: _Link(self), self.path)
            except OSError:
                self._on_change(self)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_DELAY)
                continue
            delay = FIRST_DELAY
            await self._wake.wait()

"""Joins TCP connections that prove they know a replica's token to that replica's Unix socket."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from modelwright_runtime.handshake import NO_SUCH_NAME, Accepting, HandshakeError, RefusedError, replica_token

from modelwright.compute.backends.sockets import open_socket
from modelwright.core.far_peers import notice_silence

logger = logging.getLogger(__name__)

# A side that does not take what is sent to it is not read from beyond so much, for each direction.
BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True)
class Limits:
    """How many connections there may be, and how long a stranger may take to say who he is."""

    strangers: int = 64
    joined: int = 1024
    seconds: float = 5.0


class Bridge:
    """All connections of one bridge. `folder` holds the sockets of this host's workloads."""

    def __init__(self, folder: Path, token: str, *, tls: ssl.SSLContext | None = None, limits: Limits | None = None):
        self.folder = folder
        self.tls = tls
        self.limits = limits or Limits()
        self.strangers: dict[Guest, None] = {}
        self.joined: set[Guest] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._encrypting = 0
        self.token_of = partial(replica_token, token)
        self._complained = 0.0

    async def serve(self, listener: socket.socket) -> None:
        """Take connections from a listening socket that does not block, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, origin = await loop.sock_accept(listener)
            except OSError as error:
                logger.error("cannot take a connection: %s", error)
                await asyncio.sleep(0.5)
                continue
            if self._has_room():
                self._encrypting += 1
                self.begin(self._welcome(connection, origin))
            else:
                self.complain(origin, "too many connections")
                connection.close()

    def _has_room(self) -> bool:
        """Whoever knows the token needs a moment, so that those who wait longest make room for newer ones."""
        if len(self.joined) >= self.limits.joined:
            return False
        if len(self.strangers) + self._encrypting < self.limits.strangers:
            return True
        oldest = next(iter(self.strangers), None)
        if oldest is None:
            return False
        self.complain(oldest.origin, "it says nothing while others want to")
        del self.strangers[oldest]
        oldest.abort()
        return True

    async def _welcome(self, connection: socket.socket, origin: object) -> None:
        loop = asyncio.get_running_loop()
        seconds = self.limits.seconds if self.tls else None
        try:
            notice_silence(connection)
            await loop.connect_accepted_socket(
                lambda: Guest(self, origin), connection, ssl=self.tls, ssl_handshake_timeout=seconds
            )
        except OSError as error:
            self.complain(origin, error)
        finally:
            self._encrypting -= 1

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def complain(self, origin: object, why: object) -> None:
        """Log a refusal, but not more than one a second: strangers must not fill the disk."""
        now = time.monotonic()
        if now - self._complained >= 1:
            self._complained = now
            logger.warning("turned away a connection from %s: %s", origin, why)

    def is_known(self, name: str) -> bool:
        """Whether a socket of that workload is here."""
        try:
            os.close(open_socket(self.folder, name))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Break every connection: the gateway asks again elsewhere."""
        for guest in [*self.strangers, *self.joined]:
            guest.abort()


class Side(asyncio.Protocol):
    """One end of a joined pair: what it receives goes to the other end, as fast as that takes it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self._ended = False

    def attach(self, transport: asyncio.BaseTransport) -> asyncio.Transport:
        """Take the transport, with a bound on what waits in it."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=BUFFER_BYTES)
        return self.transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """The other end is told, and may go on answering where the transport can tell it (TLS cannot)."""
        other = self.other
        if other is None or other.transport is None:
            return False
        self._ended = True
        if other._ended or not other.transport.can_write_eof():
            other.transport.close()
            return False
        other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        other, self.other = self.other, None
        if other is None or other.transport is None:
            return
        other.other = None
        if exc is None:
            other.transport.close()
        else:
            other.transport.abort()

    def abort(self) -> None:
        """Break the connection now."""
        if self.transport is not None:
            self.transport.abort()


class Guest(Side):
    """A connection from the network. Nothing is opened for it before it has proved who it is."""

    def __init__(self, bridge: Bridge, origin: object) -> None:
        super().__init__()
        self.origin = origin
        self._bridge = bridge
        self._loop = asyncio.get_running_loop()
        self._accepting: Accepting | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raw, bridge = self.attach(transport), self._bridge
        bridge.strangers[self] = None
        self._timer = self._loop.call_later(bridge.limits.seconds, self._too_slow)
        self._accepting = Accepting(bridge.token_of, bridge.is_known)
        raw.write(self._accepting.greeting)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            super().data_received(data)
        elif self._accepting is not None and not self._accepting.is_done:
            self._listen(self._accepting, data)
        else:
            self._refuse("it speaks before it was answered", b"")

    def eof_received(self) -> bool:
        return super().eof_received() if self.other is not None else False

    def connection_lost(self, exc: Exception | None) -> None:
        self._bridge.strangers.pop(self, None)
        self._bridge.joined.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _listen(self, accepting: Accepting, data: bytes) -> None:
        try:
            verdict = accepting.feed(data)
        except HandshakeError as error:
            self._refuse(error, error.refusal if isinstance(error, RefusedError) else b"")
            return
        if not accepting.is_done:
            return
        if accepting.rest:
            self._refuse("it speaks before it was answered", b"")
        elif self.transport is not None:
            self.transport.pause_reading()
            self._bridge.begin(self._join(accepting.name, verdict))

    async def _join(self, name: str, verdict: bytes) -> None:
        host = Side()
        try:
            connection = await self._open(name)
            await self._loop.create_unix_connection(lambda: host, sock=connection)
        except OSError as error:
            self._refuse(f"{name}: {error}", bytes([NO_SUCH_NAME]))
            return
        if host.transport is None:
            self._refuse(f"{name}: it ended just now", bytes([NO_SUCH_NAME]))
            return
        if self.transport is None:
            host.abort()
            return
        self._bridge.strangers.pop(self, None)
        self._bridge.joined.add(self)
        if self._timer is not None:
            self._timer.cancel()
        self.other, host.other = host, self
        self._write(verdict)
        self.transport.resume_reading()

    async def _open(self, name: str) -> socket.socket:
        descriptor = open_socket(self._bridge.folder, name)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await self._loop.sock_connect(connection, f"/proc/self/fd/{descriptor}")
        except BaseException:
            connection.close()
            raise
        finally:
            os.close(descriptor)
        return connection

    def _too_slow(self) -> None:
        self._refuse("it took too long to say who it is", b"")
        self.abort()

    def _refuse(self, why: object, last_words: bytes) -> None:
        self._bridge.complain(self.origin, why)
        self._write(last_words)
        if self.transport is not None:
            self.transport.close()

    def _write(self, data: bytes) -> None:
        if self.transport is not None and data:
            self.transport.write(data)


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """The context of a bridge that encrypts. Raises OSError, and ssl.SSLError for files that do not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context

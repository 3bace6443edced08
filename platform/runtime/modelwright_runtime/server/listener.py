"""The sockets of a model server, in the file system and on the network: frames in, frames out."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from modelwright_runtime import metrics
from modelwright_runtime.handshake import Accepting, HandshakeError, RefusedError

from . import codec, frames
from .batching import Job, Predictions, error_payload

logger = logging.getLogger(__name__)

MAX_SOCKET_PATH_BYTES = 107
HANDSHAKE_SECONDS = 10.0


class SocketError(Exception):
    """The socket cannot be opened; the message says why and what to do."""


class Connection(asyncio.Protocol):
    """One gateway. Answers leave in the order in which predictions finish."""

    def __init__(self, server: Listener) -> None:
        self._server = server
        self._reader = frames.FrameReader()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            received = self._reader.feed(data)
        except frames.FrameError as error:
            logger.error("closing a connection: %s", error)
            self.close()
            return
        for frame in received:
            self._handle(frame)

    def close(self) -> None:
        """Close after what is already written."""
        if self._transport is not None:
            self._transport.close()

    def _handle(self, frame: frames.Frame) -> None:
        if frame.kind == frames.PING:
            self._send(frame.correlation_id, frames.PONG, codec.encode(self._server.status()))
            return
        if frame.kind != frames.PREDICT:
            self._refuse(frame, f"a frame of kind {frame.kind} is none that a model server answers")
            return
        try:
            payload = codec.decode(frame.payload)
            columns, rows = tuple(payload["columns"]), payload["rows"]
            if not rows or any(len(row) != len(columns) for row in rows):
                raise ValueError("every row must hold one value per column, and there must be a row")
        except (ValueError, TypeError, KeyError) as error:
            self._refuse(frame, f"the frame cannot be read: {error}")
            return
        correlation_id = frame.correlation_id

        def reply(kind: int, answer: bytes) -> None:
            if threading.get_ident() == self._thread:
                self._send(correlation_id, kind, answer)
            else:
                self._loop.call_soon_threadsafe(self._send, correlation_id, kind, answer)

        traced = time.monotonic_ns() if "trace" in payload else None
        self._server.predictions.submit(Job(columns, rows, reply, traced, id(self)))

    def _refuse(self, frame: frames.Frame, message: str) -> None:
        self._send(frame.correlation_id, frames.ERROR, error_payload("bad_frame", message))

    def _send(self, correlation_id: int, kind: int, payload: bytes) -> None:
        if self._transport is None:
            return
        try:
            self._transport.write(frames.pack(correlation_id, kind, payload))
        except frames.FrameError as error:
            self._transport.write(
                frames.pack(correlation_id, frames.ERROR, error_payload("answer_too_large", str(error)))
            )


class GuardedConnection(Connection):
    """One that comes over the network: nothing it says is read before it has proved that it knows the token."""

    def __init__(self, server: Listener, token: str, name: str) -> None:
        super().__init__(server)
        self._side: Accepting | None = Accepting(lambda _: token, lambda wanted: wanted == name)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._timer = self._loop.call_later(HANDSHAKE_SECONDS, self.close)
        if self._side is not None:
            self._write(self._side.greeting)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        side = self._side
        if side is None:
            super().data_received(data)
            return
        try:
            self._write(side.feed(data))
        except HandshakeError as error:
            logger.warning("turned a connection away: %s", error)
            self._write(error.refusal if isinstance(error, RefusedError) else b"")
            self.close()
            return
        if side.is_done:
            self._side = None
            if self._timer is not None:
                self._timer.cancel()
            super().data_received(side.rest)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and data:
            self._transport.write(data)


@dataclass(frozen=True)
class Network:
    """Where a model server listens besides its Unix socket, and who may speak to it.

    `name` is the name that callers ask for and `token` the one of `handshake.replica_token` for it.
    """

    host: str
    port: int
    name: str
    token: str = field(repr=False)


class Listener:
    """The listening sockets and their connections."""

    def __init__(
        self,
        path: Path | None,
        predictions: Predictions,
        *,
        version_id: str = "",
        served_by: str = "original",
        network: Network | None = None,
    ) -> None:
        self.predictions = predictions
        self.connections: set[Connection] = set()
        self._path = path
        self._network = network
        self._version_id = version_id
        self._served_by = served_by
        self._servers: list[asyncio.Server] = []

    def status(self) -> dict[str, Any]:
        """Payload of a pong."""
        return {
            "version_id": self._version_id,
            "served_by": self._served_by,
            "pid": os.getpid(),
            "busy_seconds": round(self.predictions.busy_seconds(), 3),
            **self.predictions.vitals.plain(),
            "metrics": metrics.snapshot(),
        }

    async def open(self) -> None:
        """Listen; the Unix socket is for this user only. Raises `SocketError`."""
        if self._path is not None:
            await self._open_path(self._path)
        if self._network is not None:
            await self._open_network(self._network)

    def ports(self) -> list[int]:
        """The TCP ports that it listens on."""
        found = [each.getsockname() for server in self._servers for each in server.sockets]
        return [int(name[1]) for name in found if isinstance(name, tuple)]

    async def _open_path(self, path: Path) -> None:
        check_path(path)
        remove_stale(path)
        previous = os.umask(0o177)
        try:
            server = await asyncio.get_running_loop().create_unix_server(
                lambda: Connection(self), path=str(path), backlog=128
            )
        except OSError as error:
            raise SocketError(f"cannot listen on {path}: {error}; check that its folder exists") from error
        finally:
            os.umask(previous)
        self._servers.append(server)

    async def _open_network(self, network: Network) -> None:
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: GuardedConnection(self, network.token, network.name), network.host, network.port, backlog=128
            )
        except OSError as error:
            raise SocketError(f"cannot listen on {network.host}:{network.port}: {error}") from error
        self._servers.append(server)

    async def drain(self, *, timeout: float) -> bool:
        """Take no new connection, finish what was received, close. False when `timeout` seconds were not enough."""
        for server in self._servers:
            server.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        deadline = asyncio.get_running_loop().time() + timeout
        finished = True
        while not self.predictions.idle():
            if asyncio.get_running_loop().time() > deadline:
                finished = False
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)  # replies that the prediction thread has just handed over
        for connection in list(self.connections):
            connection.close()
        await asyncio.sleep(0.05)
        return finished


def check_path(path: Path) -> None:
    """Raises `SocketError` when the operating system could not bind a socket at `path`."""
    size = len(os.fsencode(str(path)))
    if size > MAX_SOCKET_PATH_BYTES:
        raise SocketError(
            f"the socket path {path} has {size} bytes and a Unix socket's may have {MAX_SOCKET_PATH_BYTES}; "
            "use a data directory with a shorter path"
        )


def remove_stale(path: Path) -> None:
    """Remove a socket that a dead server left. Raises `SocketError` when a live one answers or it is no socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketError(f"{path} exists and is no socket; choose another path or remove it")
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.settimeout(2)
        probe.connect(str(path))
    except OSError:
        path.unlink(missing_ok=True)
        return
    finally:
        probe.close()
    raise SocketError(f"another model server answers on {path}; stop it or choose another path")

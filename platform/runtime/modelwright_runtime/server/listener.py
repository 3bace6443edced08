"""The Unix socket of a model server: frames in, frames out."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any, cast

from . import codec, frames
from .batching import Job, Predictions, error_payload

logger = logging.getLogger(__name__)

MAX_SOCKET_PATH_BYTES = 107


class SocketError(Exception):
    """The socket cannot be opened; the message says why and what to do."""


class Connection(asyncio.Protocol):
    """One gateway. Answers leave in the order in which predictions finish."""

    def __init__(self, server: Listener) -> None:
        self._server = server
        self._reader = frames.FrameReader()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

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
            self._loop.call_soon_threadsafe(self._send, correlation_id, kind, answer)

        self._server.predictions.submit(Job(columns, rows, reply))

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


class Listener:
    """The listening socket and its connections."""

    def __init__(self, path: Path, predictions: Predictions, *, version_id: str = "") -> None:
        self.predictions = predictions
        self.connections: set[Connection] = set()
        self._path = path
        self._version_id = version_id
        self._server: asyncio.Server | None = None

    def status(self) -> dict[str, Any]:
        """Payload of a pong."""
        return {
            "version_id": self._version_id,
            "pid": os.getpid(),
            "rows_predicted": self.predictions.rows_predicted,
            "busy_seconds": round(self.predictions.busy_seconds(), 3),
        }

    async def open(self) -> None:
        """Listen, readable for this user only. Raises `SocketError`."""
        check_path(self._path)
        remove_stale(self._path)
        previous = os.umask(0o177)
        try:
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: Connection(self), path=str(self._path), backlog=128
            )
        except OSError as error:
            raise SocketError(f"cannot listen on {self._path}: {error}; check that its folder exists") from error
        finally:
            os.umask(previous)

    async def drain(self, *, timeout: float) -> bool:
        """Take no new connection, finish what was received, close. False when `timeout` seconds were not enough."""
        if self._server is not None:
            self._server.close()
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

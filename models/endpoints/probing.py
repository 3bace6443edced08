"""Asks a model server whether it answers."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import Any

from modelwright_runtime.handshake import HandshakeError
from modelwright_runtime.server import frames

from models.gateway.addresses import Access, connect

TIMEOUT_SECONDS = 2.0


def ping(address: str, access: Access | None = None, *, timeout: float = TIMEOUT_SECONDS) -> dict[str, Any] | None:
    """The server's pong (`version_id`, `pid`, …), or None when nobody answers at the address in time."""
    try:
        with closing(connect(address, access or Access(), timeout=timeout)) as connection:
            connection.sendall(frames.pack(1, frames.PING, b"{}"))
            return _pong(connection)
    except (OSError, ValueError, HandshakeError, frames.FrameError):
        return None


def _pong(connection: socket.socket) -> dict[str, Any] | None:
    reader = frames.FrameReader()
    while data := connection.recv(65536):
        for frame in reader.feed(data):
            if frame.kind == frames.PONG:
                content = json.loads(frame.payload)
                return content if isinstance(content, dict) else {}
    return None

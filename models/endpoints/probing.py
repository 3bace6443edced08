"""Asks a model server whether it answers."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from modelwright_runtime.handshake import HandshakeError
from modelwright_runtime.server import frames

from models.gateway.addresses import Access, connect

TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Sign:
    """What came back of a ping: the server's `pong` (`version_id`, `pid`, …), or None when nobody answered in time;
    and whether there was a connection at all."""

    pong: dict[str, Any] | None = None
    is_connected: bool = False


def sign_of(address: str, access: Access | None = None, *, timeout: float = TIMEOUT_SECONDS) -> Sign:
    """Ask whoever listens at the address for a sign of life."""
    try:
        connection = connect(address, access or Access(), timeout=timeout)
    except (OSError, ValueError, HandshakeError):
        return Sign()
    try:
        with closing(connection):
            connection.sendall(frames.pack(1, frames.PING, b"{}"))
            return Sign(_pong(connection), True)
    except (OSError, ValueError, frames.FrameError):
        return Sign(None, True)


def ping(address: str, access: Access | None = None, *, timeout: float = TIMEOUT_SECONDS) -> dict[str, Any] | None:
    """The server's pong, or None when nobody answers at the address in time."""
    return sign_of(address, access, timeout=timeout).pong


def _pong(connection: socket.socket) -> dict[str, Any] | None:
    reader = frames.FrameReader()
    while data := connection.recv(65536):
        for frame in reader.feed(data):
            if frame.kind == frames.PONG:
                content = json.loads(frame.payload)
                return content if isinstance(content, dict) else {}
    return None

"""Asks a model server whether it answers."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import Any

from modelwright_runtime.server import frames

TIMEOUT_SECONDS = 2.0


def ping(path: str, *, timeout: float = TIMEOUT_SECONDS) -> dict[str, Any] | None:
    """The server's pong (`version_id`, `pid`, …), or None when nobody answers at the Unix socket in time."""
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(frames.pack(1, frames.PING, b"{}"))
            return _pong(connection)
    except (OSError, ValueError, frames.FrameError):
        return None


def _pong(connection: socket.socket) -> dict[str, Any] | None:
    reader = frames.FrameReader()
    while data := connection.recv(65536):
        for frame in reader.feed(data):
            if frame.kind == frames.PONG:
                content = json.loads(frame.payload)
                return content if isinstance(content, dict) else {}
    return None

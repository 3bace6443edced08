"""What is on other machines: how it is named in an address, and connections to it, whose end nobody may tell. No
Django."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

# A host that lost its power says nothing: after so long without an acknowledgement its connection is given up.
SILENCE_SECONDS = 10
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 4), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))


def place_of(text: str) -> tuple[str, int, str]:
    """Host, port and name of `scheme://host:port/name`, with nothing behind. Raises ValueError for all else."""
    parts = urlsplit(text)
    host, port, name = parts.hostname, parts.port, parts.path.removeprefix("/")
    if not host or not port or not name or "/" in name or parts.query or parts.fragment:
        raise ValueError(f"it is not {parts.scheme or 'scheme'}://HOST:PORT/NAME")
    return host, port, name


def notice_silence(connection: socket.socket) -> None:
    """Small frames leave at once, and a peer that vanished is noticed. Nothing for a Unix socket."""
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)

"""TCP connections to other machines, whose end nobody may tell. No Django."""

from __future__ import annotations

import socket

# A host that lost its power says nothing: after so long without an acknowledgement its connection is given up.
SILENCE_SECONDS = 10
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 4), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))


def notice_silence(connection: socket.socket) -> None:
    """Small frames leave at once, and a peer that vanished is noticed. Nothing for a Unix socket."""
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)

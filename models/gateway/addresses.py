"""Where replicas are: a Unix socket of this host, or `bridge://host:port/<workload>` on another."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from modelwright_runtime.handshake import introduce

from modelwright.compute.backends.sockets import is_workload_name, open_socket, socket_path

SCHEME = "bridge://"
CONNECT_SECONDS = 5.0
MAX_SOCKET_PATH_BYTES = 107
# A host that lost its power says nothing: after so long without an acknowledgement its connection is given up.
SILENCE_SECONDS = 10
KEEPALIVE = ((socket.TCP_KEEPIDLE, 4), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))


class AddressError(ValueError):
    """The text is no address of a replica; it says why."""


class BridgeAddress(NamedTuple):
    """A replica behind a bridge, or one that listens on the network by itself."""

    host: str
    port: int
    name: str


@dataclass(frozen=True)
class Access:
    """What opens bridges: the installation's token, and whose certificates are believed (None: no TLS)."""

    token: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None


def bridge_access(token: str, tls_ca: Path | None) -> Access:
    """With the certificates of a file, or without TLS. Raises OSError, also for a file that holds no certificate."""
    return Access(token, ssl.create_default_context(cafile=str(tls_ca)) if tls_ca else None)


def bridge_address(host: str, port: int, name: str) -> str:
    """The text of an address; `host` may be a name, an IPv4 or an IPv6 address."""
    return f"{SCHEME}{f'[{host}]' if ':' in host else host}:{port}/{name}"


def parse(text: str) -> Path | BridgeAddress:
    """What the text means. Raises AddressError."""
    if not text.startswith(SCHEME):
        if (size := len(os.fsencode(text))) > MAX_SOCKET_PATH_BYTES:
            raise AddressError(f"{text} has {size} bytes; a Unix socket's path may have {MAX_SOCKET_PATH_BYTES}")
        return Path(text)
    try:
        parts = urlsplit(text)
        host, port, name = parts.hostname, parts.port, parts.path.removeprefix("/")
    except ValueError as error:
        raise AddressError(f"{text} is no address of a bridge: {error}") from error
    if not host or not port or not name or "/" in name or parts.query or parts.fragment:
        raise AddressError(f"{text} is not {SCHEME}HOST:PORT/WORKLOAD")
    return BridgeAddress(host, port, name)


def notice_silence(connection: socket.socket) -> None:
    """Small frames leave at once, and a peer that vanished is noticed. Nothing for a Unix socket."""
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)


@contextmanager
def own_socket(path: Path) -> Iterator[str]:
    """The path to connect to for a socket on this machine. A workload may write where it lies: no link is followed.

    Raises FileNotFoundError.
    """
    folder = path.parent
    if folder.name and path == socket_path(folder.parent, folder.name) and is_workload_name(folder.name):
        descriptor = open_socket(folder.parent, folder.name)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        yield str(path)


def connect(text: str, given: Access, *, timeout: float) -> socket.socket:
    """A blocking connection to a replica. Raises AddressError, OSError or HandshakeError."""
    address = parse(text)
    if isinstance(address, Path):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            with own_socket(address) as path:
                connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection
    connection = socket.create_connection((address.host, address.port), timeout)
    try:
        if given.tls is not None:
            connection = given.tls.wrap_socket(connection, server_hostname=address.host)
        introduce(connection, given.token, address.name)
    except BaseException:
        connection.close()
        raise
    return connection

"""Where replicas are: a Unix socket of this host, `bridge://host:port/<workload>` on another, or a task of a swarm that
`entrance://host:port/<workload>` leads to."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from modelwright_runtime.handshake import LONGEST_NAME, introduce

from modelwright.compute.backends.sockets import own_socket
from modelwright.core.far_peers import place_of

SCHEME, ENTRANCE_SCHEME = "bridge://", "entrance://"
# As `compute.backends.swarm.entrance` expects it, which is a program of its own.
ENTRANCE_MAGIC = b"mwe1"
CONNECT_SECONDS = 5.0
MAX_SOCKET_PATH_BYTES = 107


class AddressError(ValueError):
    """The text is no address of a replica; it says why."""


class BridgeAddress(NamedTuple):
    """A replica behind a bridge or an entrance, or one that listens on the network by itself."""

    host: str
    port: int
    name: str
    is_entrance: bool = False

    @property
    def preface(self) -> bytes:
        """What is sent before anything else. An entrance has to be told where it shall lead."""
        name = self.name.encode()
        return ENTRANCE_MAGIC + bytes([len(name)]) + name if self.is_entrance else b""


@dataclass(frozen=True)
class Access:
    """What opens bridges: the installation's token, and whose certificates are believed (None: no TLS)."""

    token: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None


def bridge_access(token: str, tls_ca: Path | None) -> Access:
    """With the certificates of a file, or without TLS. Raises OSError, also for a file that holds no certificate."""
    return Access(token, ssl.create_default_context(cafile=str(tls_ca)) if tls_ca else None)


def bridge_address(host: str, port: int, name: str, *, scheme: str = SCHEME) -> str:
    """The text of an address; `host` may be a name, an IPv4 or an IPv6 address."""
    return f"{scheme}{f'[{host}]' if ':' in host else host}:{port}/{name}"


def parse(text: str) -> Path | BridgeAddress:
    """What the text means. Raises AddressError."""
    if not text.startswith((SCHEME, ENTRANCE_SCHEME)):
        if (size := len(os.fsencode(text))) > MAX_SOCKET_PATH_BYTES:
            raise AddressError(f"{text} has {size} bytes; a Unix socket's path may have {MAX_SOCKET_PATH_BYTES}")
        return Path(text)
    try:
        host, port, name = place_of(text)
    except ValueError as error:
        raise AddressError(f"{text} is no address of a bridge: {error}") from error
    if len(name.encode()) > LONGEST_NAME:
        raise AddressError(f"{text} names a workload with more than {LONGEST_NAME} bytes")
    return BridgeAddress(host, port, name, is_entrance=text.startswith(ENTRANCE_SCHEME))


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
        if address.is_entrance:
            connection.sendall(address.preface)
        introduce(connection, given.token, address.name)
    except BaseException:
        connection.close()
        raise
    return connection

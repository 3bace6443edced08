"""Where the proxy reaches the socket of a workload, and what opens the way there."""

from __future__ import annotations

import socket
import ssl
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from modelwright_runtime.handshake import HandshakeError, introduce, replica_token

from modelwright.compute.backends.sockets import own_socket
from modelwright.compute.layout import socket_path
from modelwright.compute.models import Host, Workload
from sessions.proxy import bridges

LOOK_SECONDS = 1.0
# Another host may be far away.
LOOK_FAR_SECONDS = 3.0


def address(workload: Workload) -> str:
    """Where the proxy reaches what listens on the workload's socket; empty while it is nowhere, or out of reach."""
    host: Host | None = workload.host
    if not workload.key_name or host is None:
        return ""
    if host.name == settings.HOST_NAME:
        return str(socket_path(workload.key_name))
    if not host.address or not host.bridge_port:
        return ""
    name = f"[{host.address}]" if ":" in host.address else host.address
    return f"{bridges.SCHEME}{name}:{host.bridge_port}/{workload.key_name}"


def token(workload: Workload) -> str:
    """What opens the bridge of the workload's host for this workload alone; empty where there is none on the way."""
    is_far = address(workload).startswith(bridges.SCHEME)
    return replica_token(settings.SECRET_KEY, workload.key_name or "") if is_far else ""


def takes_connections(workload: Workload) -> bool:
    """Whether somebody listens at the workload's socket."""
    target = address(workload)
    if target.startswith(bridges.SCHEME):
        return _takes_far(target)
    if not target:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(LOOK_SECONDS)
        try:
            with own_socket(Path(target)) as path:
                probe.connect(path)
        except OSError:
            return False
    return True


def _takes_far(target: str) -> bool:
    """A bridge answers only once it has connected to the socket."""
    host, port, name = bridges.parse(target)
    try:
        connection = socket.create_connection((host, port), LOOK_FAR_SECONDS)
        with connection:
            tls = _tls(settings.BRIDGE_CA_FILE)
            near = tls.wrap_socket(connection, server_hostname=host) if tls else connection
            with near:
                introduce(near, settings.SECRET_KEY, name)
    except (OSError, HandshakeError):
        return False
    return True


@lru_cache(maxsize=2)
def _tls(authority: str) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=authority) if authority else None

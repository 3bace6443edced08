"""Where the gateway reaches a replica: a socket of this host, the bridge of another, or the entrance of a swarm."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from models.endpoints.models import Replica
from models.gateway.addresses import ENTRANCE_SCHEME, Access, bridge_access, bridge_address
from modelwright.compute.layout import socket_path
from modelwright.compute.models import Host
from modelwright.compute.spreading import REPLICA_PORT


def address(replica: Replica) -> str | None:
    """A path or `bridge://host:port/<workload>`; None where the replica is not placed or its host has no bridge."""
    workload = replica.workload
    if not workload.key_name or workload.host is None:
        return None
    if workload.host.backend == Host.Backend.SWARM:
        return _in_swarm(workload.host, workload.key_name)
    if workload.host.name == settings.HOST_NAME:
        earlier = "{socket}" not in workload.spec["command"]  # Queued by an earlier version.
        return str(
            Path(settings.SOCKETS_DIR) / f"{workload.key_name}.sock" if earlier else socket_path(workload.key_name)
        )
    if not workload.host.address or not workload.host.bridge_port:
        return None
    return bridge_address(workload.host.address, workload.host.bridge_port, workload.key_name)


def _in_swarm(host: Host, name: str) -> str:
    """Its entrance; without one a name that only the tasks' network knows."""
    if host.address and host.bridge_port:
        return bridge_address(host.address, host.bridge_port, name, scheme=ENTRANCE_SCHEME)
    return bridge_address(name, REPLICA_PORT, name)


def access() -> Access:
    """What opens bridges. Raises OSError for a file of certificates that cannot be read."""
    return _access(settings.SECRET_KEY, settings.BRIDGE_CA_FILE)


@lru_cache(maxsize=4)
def _access(token: str, ca: str) -> Access:
    return bridge_access(token, Path(ca) if ca else None)

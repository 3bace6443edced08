"""What a host allows its containers. An administrator sets it; no spec can widen it."""

from __future__ import annotations

import fnmatch
import ipaddress
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1024 * 1024
GIB = 1024 * MIB
# Who code runs as where the platform itself is root: nobody that the host or an image knows.
UNKNOWN_USER = 10001
ENVIRONMENT_IMAGES = "modelwright-environment"
FIRST_ADDRESS = "127.0.0.1"
# The host's own, and the one in which containers see each other and the host.
_OPEN_NETWORKS = ("host", "bridge", "default", "")
_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,40}")


def default_user() -> str:
    """This process's own user and group, so that it can read what a workload leaves; for root, an unknown one."""
    return f"{os.getuid()}:{os.getgid()}" if os.getuid() else f"{UNKNOWN_USER}:{UNKNOWN_USER}"


def own_interpreter() -> tuple[Path, ...]:
    """Where this Python is installed, unless that is the system's own place, which an image has of its own."""
    prefix = Path(sys.base_prefix).resolve()
    return () if prefix in (Path("/"), Path("/usr"), Path("/usr/local")) else (prefix,)


@dataclass(frozen=True)
class Relay:
    """Makes one TCP service reachable inside of every container at the name and port that it has outside.

    It is the way to the platform's own API, and the only one that a container without a network has. `host` is the
    name or the loopback address that workloads use; `target_host` and `target_port` say where the service is when this
    host reaches it elsewhere.
    """

    host: str
    port: int
    target_host: str = ""
    target_port: int = 0

    @classmethod
    def parse(cls, text: str) -> Relay:
        """From `HOST:PORT` or `HOST:PORT=HOST:PORT`. Raises ValueError."""
        near, _, far = text.partition("=")
        host, port = _address(near)
        return cls(host, port, *_address(far)) if far else cls(host, port)

    def near(self, number: int) -> str:
        """The address to listen on inside of a container. Names get one each, so that they may share a port."""
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return FIRST_ADDRESS if self.host == "localhost" else f"127.0.0.{number + 2}"
        return self.host if address.is_loopback else FIRST_ADDRESS

    @property
    def target(self) -> tuple[str, int]:
        """Where this host reaches the service."""
        return self.target_host or self.host, self.target_port or self.port


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not HOST:PORT.")
    return host.strip("[]"), int(port)


@dataclass(frozen=True)
class DockerConfig:
    """One installation's containers on one host. Bytes and seconds throughout.

    `images` are patterns (`registry.example.org/team/*`) of ready images that specs may name, besides those that the
    platform builds. `readable` are folders below which specs may ask for read-only mounts; `sources` those whose
    archives of files they may name (empty: any). In each folder of `writable` a workload may have one folder, which has
    the name of its key, such as that of its socket.
    `network` is `none` or the name of a network that `network.ClosedNetwork` made. `work_bytes` bounds a workload's
    working folder: one file by the kernel, the sum by looking every few seconds.
    """

    root: Path
    instance: str
    image: str = "python:3.11-slim"
    images: Sequence[str] = ()
    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    sources: Sequence[Path] = ()
    interpreters: Sequence[Path] = field(default_factory=own_interpreter)
    user: str = field(default_factory=default_user)
    network: str = "none"
    runtime: str = ""
    engine: str = ""
    relays: Sequence[Relay] = ()
    tmp_bytes: int = GIB
    shm_bytes: int = 256 * MIB
    work_bytes: int = 20 * GIB
    patience_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not _INSTANCE.fullmatch(self.instance):
            raise ValueError(f"{self.instance!r} cannot be part of a container's name: use a-z, 0-9, '-', '_' and '.'")
        if self.network in _OPEN_NETWORKS or ":" in self.network:
            raise ValueError(f"Containers must not be in the network {self.network!r}: make one with docker.network.")
        if self.uid == 0:
            raise ValueError("Containers must not run as root: name another user, for example 10001:10001.")
        if not self.root.is_absolute():
            raise ValueError(f"{self.root} must be an absolute path: the engine mounts from there.")
        if len(set(self.near)) < len(self.relays):
            raise ValueError("Two relays need the same port inside of containers: give one of them a name.")

    @property
    def near(self) -> list[tuple[str, int]]:
        """Where the relays listen inside of containers, in their order."""
        return [(relay.near(number), relay.port) for number, relay in enumerate(self.relays)]

    @property
    def names(self) -> dict[str, str]:
        """Names that mean something inside of containers, and the addresses there."""
        pairs = zip(self.relays, self.near, strict=True)
        return {relay.host: address for relay, (address, _) in pairs if address != relay.host}

    @property
    def uid(self) -> int:
        """The user that a workload's process has."""
        return int(self.user.partition(":")[0])

    @property
    def gid(self) -> int:
        """The group that a workload's process has."""
        return int(self.user.partition(":")[2] or self.uid)

    def allows_image(self, image: str) -> bool:
        """Whether a spec may name the image."""
        patterns = (self.image, *self.images, f"{ENVIRONMENT_IMAGES}:*")
        return any(fnmatch.fnmatchcase(image, pattern) for pattern in patterns)

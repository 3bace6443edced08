"""What a host allows its containers. An administrator sets it; no spec can widen it."""

from __future__ import annotations

import fnmatch
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
    """Makes one TCP service of the host reachable at `127.0.0.1:<port>` inside of every container.

    It is the way to the platform's own API, and the only one that a container without a network has.
    """

    host: str
    port: int


@dataclass(frozen=True)
class DockerConfig:
    """One installation's containers on one host. Bytes and seconds throughout.

    `images` are patterns (`registry.example.org/team/*`) of ready images that specs may name, besides those that the
    platform builds. `readable` are folders
    below which specs may ask for read-only mounts; `sources` those whose Git repositories they may name (empty: any).
    `network` is `none` or the name of a network that `network.ClosedNetwork` made. `work_bytes` bounds a workload's
    working folder: one file by the kernel, the sum by looking every few seconds.
    """

    root: Path
    instance: str
    image: str = "python:3.11-slim"
    images: Sequence[str] = ()
    readable: Sequence[Path] = ()
    sources: Sequence[Path] = ()
    interpreters: Sequence[Path] = field(default_factory=own_interpreter)
    user: str = field(default_factory=default_user)
    network: str = "none"
    runtime: str = ""
    engine: str = ""
    relay: Relay | None = None
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

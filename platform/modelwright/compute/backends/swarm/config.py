"""What an administrator allows the services of one installation in one swarm. No spec can widen it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelwright.compute.backends.docker.config import ENVIRONMENT_IMAGES, GIB, MIB, UNKNOWN_USER

# `<instance>-<workload id>-<fence>` is a label of the DNS, which has 63 characters.
_INSTANCE = re.compile(r"[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?")


@dataclass(frozen=True)
class Shelf:
    """Where tasks fetch their files: an address of this host that all nodes reach."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Shelf:
        """From `HOST:PORT`. Raises ValueError."""
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{text!r} is not HOST:PORT.")
        return cls(host.strip("[]"), int(port))


@dataclass(frozen=True)
class SwarmConfig:
    """Bytes and seconds throughout.

    `images` are patterns of ready images that specs may name; every node must have them or be able to pull them.
    `registry` is where the images of environments are pushed to and pulled from (`registry.example.org/ml`).
    `readable` are folders of this host below which specs may name inputs. `network` is the overlay network that tasks
    answer in; at the port `entrance` of this host replicas are reached from outside of it, 0 for nowhere, and all that
    goes through it is encrypted where there are files with a `certificate` and its `key`. `kept_alive` are the kinds of
    workloads that are started again, at most `attempts` times within `window_seconds`, each after `delay_seconds`. A
    new task that stays ready for `monitor_seconds` renews another; its port is tried every `probe_seconds`.
    """

    root: Path
    instance: str
    engine: str = ""
    image: str = "python:3.11-slim"
    images: Sequence[str] = ()
    registry: str = ""
    readable: Sequence[Path] = ()
    user: str = f"{UNKNOWN_USER}:{UNKNOWN_USER}"
    network: str = ""
    is_encrypted: bool = False
    shelf: Shelf | None = None
    entrance: int = 0
    certificate: Path | None = None
    key: Path | None = None
    gpu_resource: str = "gpu"
    kept_alive: Sequence[str] = ("replica", "application")
    attempts: int = 3
    delay_seconds: float = 2.0
    window_seconds: float = 600.0
    monitor_seconds: float = 5.0
    probe_seconds: float = 5.0
    tmp_bytes: int = GIB
    shm_bytes: int = 256 * MIB
    work_bytes: int = 256 * MIB
    patience_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not _INSTANCE.fullmatch(self.instance):
            raise ValueError(f"{self.instance!r} cannot begin a service's name: use at most 16 of a-z, 0-9 and '-'")
        if self.uid == 0:
            raise ValueError("Tasks must not run as root: name another user, for example 10001:10001.")
        if not 0 <= self.entrance <= 65535:
            raise ValueError(f"{self.entrance} is no port.")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("A certificate and its key belong together.")
        if not self.root.is_absolute():
            raise ValueError(f"{self.root} must be an absolute path.")

    @property
    def uid(self) -> int:
        """The user that a task's processes have."""
        return int(self.user.partition(":")[0])

    @property
    def gid(self) -> int:
        """The group that a task's processes have."""
        return int(self.user.partition(":")[2] or self.uid)

    @property
    def network_name(self) -> str:
        """The overlay network of the tasks."""
        return self.network or f"{self.instance}-tasks"

    def image_of(self, name: str) -> str:
        """The image as nodes know it. Raises ValueError for one that is not allowed."""
        wanted = name or self.image
        if fnmatch.fnmatchcase(wanted, f"{ENVIRONMENT_IMAGES}:*"):
            return f"{self.registry}/{wanted}" if self.registry else wanted
        if not any(fnmatch.fnmatchcase(wanted, pattern) for pattern in (self.image, *self.images)):
            raise ValueError(f"The image {wanted!r} is not one that this host allows. An administrator can add it.")
        return wanted

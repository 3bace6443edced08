"""The keeper of this host's containers, as one of the programs of `up --backend docker`."""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from modelwright.compute.backends.base import BackendError
from modelwright.compute.backends.factory import LocalBackend, make_backend
from modelwright.local.host_file import HostFile
from modelwright.local.layout import REPOSITORY, Layout
from modelwright.local.leftovers import end_workloads
from modelwright.local.process import Program

SOCKET = "keeper.sock"
# A workload's grace period, and the engine's time to end it.
STOP_SECONDS = 20.0
FOREIGN = ("DATABASE_", "MLFLOW_", "REDIS_", "MODELWRIGHT_SECRET", "MODELWRIGHT_MLFLOW")


def instance(layout: Layout) -> str:
    """Tells this data directory's containers from those of others on the same engine."""
    return f"mw-{hashlib.sha256(os.fsencode(layout.data)).hexdigest()[:10]}"


def backend(layout: Layout, kind: str) -> LocalBackend:
    """The backend of this data directory's workloads."""
    return make_backend(kind, root=layout.workloads, keeper_socket=layout.sockets / SOCKET)


def program(layout: Layout, environment: Mapping[str, str], addresses: Sequence[str]) -> Program:
    """The keeper. Containers reach the web addresses that are given, and nothing else."""
    return program_of(layout, environment, options(layout, environment, addresses))


def program_of(layout: Layout, environment: Mapping[str, str], options: Sequence[str]) -> Program:
    """The keeper with these options."""
    return Program(
        name="keeper",
        title="Keeper (containers)",
        argv=[sys.executable, "-m", "modelwright.compute.backends.keeper", *options],
        # It has nothing to do with databases, and whoever gets at the engine should not find their addresses here.
        env={name: value for name, value in environment.items() if not name.startswith(FOREIGN)},
        cwd=REPOSITORY,
        ready=partial(answers, layout),
        before_stop=lambda: _end_containers(layout),
        stop_seconds=STOP_SECONDS,
    )


def options(layout: Layout, environment: Mapping[str, str], addresses: Sequence[str]) -> list[str]:
    """What this host allows its containers."""
    readable = [layout.data / "models", Path(environment["MODELWRIGHT_RUNTIME_SOURCE"]), layout.data / "environments"]
    chosen = {
        "--image": environment.get("MODELWRIGHT_IMAGE", ""),
        "--network": environment.get("MODELWRIGHT_CONTAINER_NETWORK", ""),
    }
    uv = environment.get("MODELWRIGHT_UV") or shutil.which("uv") or ""
    return [
        *("--socket", str(layout.sockets / SOCKET), "--root", str(layout.workloads)),
        *("--instance", instance(layout)),
        *repeated("--readable", [str(folder) for folder in readable]),
        *("--writable", str(layout.sockets)),
        *repeated("--sources", [str(folder) for folder in archives(layout, environment)]),
        *repeated("--relay", list(dict.fromkeys(address(url) for url in addresses))),
        *repeated("--allow-image", [name for name in environment.get("MODELWRIGHT_IMAGES", "").split(",") if name]),
        *[part for name, value in chosen.items() if value for part in (name, value)],
        *(("--uv", uv) if uv else ()),
    ]


def swarm_options(layout: Layout, environment: Mapping[str, str], host: HostFile) -> list[str]:
    """What this host allows the services of its swarm."""
    chosen = {
        "--image": environment.get("MODELWRIGHT_IMAGE", ""),
        "--network": environment.get("MODELWRIGHT_CONTAINER_NETWORK", ""),
        "--registry": host.registry,
        "--entrance-cert": host.tls_cert,
        "--entrance-key": host.tls_key,
        "--uv": environment.get("MODELWRIGHT_UV") or shutil.which("uv") or "",
    }
    readable = [layout.data / "models", Path(environment["MODELWRIGHT_RUNTIME_SOURCE"])]
    return [
        *("--backend", "swarm", "--socket", str(layout.sockets / SOCKET), "--root", str(layout.workloads)),
        *("--instance", instance(layout), "--shelf", host.shelf, "--entrance", str(host.bridge_port)),
        *repeated("--readable", [str(folder) for folder in readable]),
        *repeated("--allow-image", [name for name in environment.get("MODELWRIGHT_IMAGES", "").split(",") if name]),
        *[part for name, value in chosen.items() if value for part in (name, value)],
    ]


def archives(layout: Layout, environment: Mapping[str, str]) -> list[Path]:
    """Where archives of files lie on this host: the store's folder, or the copies of what is in a bucket."""
    named = environment.get("MODELWRIGHT_BLOBS", "")
    if named and not named.startswith("s3://"):
        return [Path(named.removeprefix("file://")).absolute()]
    return [layout.data / "blobs", layout.data / "cache" / "blobs"]


def repeated(name: str, values: Sequence[str]) -> list[str]:
    """The option once for each value."""
    return [part for value in values for part in (name, value)]


def address(url: str) -> str:
    """`HOST:PORT` of a web address."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def answers(layout: Layout) -> bool:
    """Whether the keeper says what runs."""
    try:
        backend(layout, "docker").list()
    except BackendError:
        return False
    return True


def _end_containers(layout: Layout) -> None:
    end_workloads(backend(layout, "docker"))

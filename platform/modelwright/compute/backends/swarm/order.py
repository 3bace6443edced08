"""The order that a task finds in its secret: what to run, and which files to fetch before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from modelwright.compute.backends.base import SourceError, WorkloadKey, WorkloadSpec
from modelwright.compute.backends.shim import record
from modelwright.compute.backends.swarm.config import SwarmConfig
from modelwright.compute.backends.swarm.packs import Pack, pack

# What a swarm takes as one secret.
LARGEST_ORDER = 500 * 1024


def mark_of(key: WorkloadKey) -> str:
    """Begins the line of the log in which a task's first process says how it ended."""
    return f"modelwright-ending-{hashlib.sha256(key.name.encode()).hexdigest()[:16]} "


def order_text(spec: WorkloadSpec, *, work: str, packs: Sequence[Pack], shelf: str, token: str) -> bytes:
    """JSON. Raises SourceError when it is larger than a secret may be."""
    if spec.secret_files:
        raise SourceError("A swarm hands out no secrets as files. Give them as environment variables.")
    order = {
        "key": spec.key.name,
        "command": list(spec.command),
        "environment": {**spec.environment, record.MARKER: spec.key.name},
        "masked": list(spec.masked),
        "directory": str(Path(work) / spec.directory),
        "open_files": spec.limits.open_files,
        "inputs": [{"path": each.path, "sha256": each.sha256} for each in packs],
        "shelf": shelf,
        "token": token,
        "mark": mark_of(spec.key),
    }
    text = json.dumps(order).encode()
    if len(text) > LARGEST_ORDER:
        raise SourceError(f"Its command and variables have {len(text)} bytes; a swarm takes {LARGEST_ORDER}.")
    return text


def pack_inputs(config: SwarmConfig, spec: WorkloadSpec, work: Path) -> list[Pack]:
    """What the task has to fetch: its working folder unless that is empty, and the folders that it reads.

    Raises SourceError for a folder that it may not have, or that is of no use on another machine.
    """
    packs = [pack(config.root, work)] if any(work.iterdir()) else []
    for name in dict.fromkeys(spec.readable):
        path = Path(name)
        if not any(path.resolve().is_relative_to(root.resolve()) for root in config.readable):
            raise SourceError(f"The folder {name} may not be read by workloads of this host.")
        if not path.is_absolute() or not path.is_dir():
            raise SourceError(f"{name} is no folder on this host; only folders reach the machines of a swarm.")
        if (path / "pyvenv.cfg").exists():
            raise SourceError(
                f"{name} is an environment of this host, and its interpreter is not on the machines of the swarm. "
                "Have the platform build the environment as an image."
            )
        packs.append(pack(config.root, path))
    return packs

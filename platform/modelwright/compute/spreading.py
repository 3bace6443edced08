"""What changes in a spec on a host that spreads its workloads over the machines of a swarm."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from modelwright_runtime.handshake import replica_token

from modelwright.compute.backends.base import WorkloadSpec

# Where model servers listen in the network of the tasks, each at an address of its own.
REPLICA_PORT = 9000
TOKEN = "MODELWRIGHT_REPLICA_TOKEN"  # noqa: S105 - the name of a variable


def spread(spec: WorkloadSpec, *, socket: Path, labels: Mapping[str, str], secret: str) -> WorkloadSpec:
    """The spec for a machine that is not this one: only those with all labels are good enough.

    A model server that would listen at `socket` listens on the network, and is told its own token, which is made from
    the installation's `secret`.
    """
    made = replace(spec, labels=dict(labels), writable=())
    command = _listening(spec.command, str(socket))
    if command == list(spec.command):
        return made
    environment = {**spec.environment, TOKEN: replica_token(secret, spec.key.name)}
    return replace(made, command=command, environment=environment, port=REPLICA_PORT)


def _listening(command: Sequence[str], socket: str) -> list[str]:
    parts = list(command)
    for index, pair in enumerate(itertools.pairwise(parts)):
        if pair == ("--socket", socket):
            parts[index : index + 2] = ["--listen", f"0.0.0.0:{REPLICA_PORT}"]
            break
    return parts

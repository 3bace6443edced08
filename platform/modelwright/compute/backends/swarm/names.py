"""Names and labels of what the swarm holds for a workload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from modelwright.compute.backends.base import Limits, WorkloadKey, WorkloadSpec
from modelwright.compute.backends.docker.options import FENCE, INSTANCE, KIND, LABEL, LIMITS, WORKLOAD
from modelwright.compute.backends.swarm.config import SwarmConfig

REVISION = f"{LABEL}revision"
PART = f"{LABEL}part"


def service_name(instance: str, key: WorkloadKey) -> str:
    """The name is the lock: a swarm gives it to one service only."""
    return f"{instance}-{key.name}"


def task_address(instance: str, key: WorkloadKey) -> str:
    """The name that the network's DNS knows all running tasks of the workload by. Its key's name is another one."""
    return f"tasks.{service_name(instance, key)}"


def secret_name(key: WorkloadKey, revision: int) -> str:
    """Named by key: two installations never share one. A secret cannot be changed, so each revision has another."""
    return f"{key.name}.{revision}"


def part_labels(config: SwarmConfig, part: str) -> dict[str, str]:
    """Of what all workloads of an installation share."""
    return {f"{LABEL}site": config.instance, PART: part}


def secret_labels(config: SwarmConfig, key: WorkloadKey) -> dict[str, str]:
    """By which the secrets of a workload are found when it goes."""
    return {INSTANCE: config.instance, WORKLOAD: key.workload_id, FENCE: str(key.fence)}


def service_labels(config: SwarmConfig, spec: WorkloadSpec, revision: int) -> dict[str, str]:
    """What another process has to know to look after the service."""
    return {
        **secret_labels(config, spec.key),
        KIND: spec.kind,
        REVISION: str(revision),
        LIMITS: json.dumps(asdict(spec.limits)),
    }


def key_of(labels: Mapping[str, str]) -> WorkloadKey:
    """The workload that labels name. Raises KeyError or ValueError."""
    return WorkloadKey(labels[WORKLOAD], int(labels[FENCE]))


def limits_of(labels: Mapping[str, str]) -> Limits:
    """The limits that labels name."""
    return Limits(**json.loads(labels[LIMITS]))

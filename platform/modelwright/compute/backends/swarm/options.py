"""Turns a spec into what the swarm is asked for. All that a task may and may not do stands here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelwright.compute.backends.base import BackendError, WorkloadSpec
from modelwright.compute.backends.docker.config import MIB
from modelwright.compute.backends.docker.options import (
    ENGINE_LOG_BYTES,
    ENGINE_LOG_FILES,
    OWN_PROCESSES,
    SMALLEST_MEMORY,
)
from modelwright.compute.backends.swarm import names
from modelwright.compute.backends.swarm.config import SwarmConfig
from modelwright.compute.backends.swarm.entry import ORDER
from modelwright.compute.backends.swarm.packs import Pack
from modelwright.compute.backends.swarm.shared import ENTRY, SECOND, Program

# A model may take long to load: until then a failing health check means nothing.
LOADING_SECONDS = 900
# Starved probes must not end healthy tasks.
PROBE_TIMEOUT_SECONDS = 20
PROBE_RETRIES = 3
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/ -]{0,62}")


@dataclass(frozen=True)
class Made:
    """What was made in the swarm for a task before it: ids and names."""

    secret_id: str
    secret_name: str
    network: str
    programs: Sequence[Program]
    packs: Sequence[Pack]
    work: str


def service_arguments(config: SwarmConfig, spec: WorkloadSpec, made: Made, revision: int) -> dict[str, Any]:
    """Arguments of `create_service`. Raises BackendError for what this host does not allow."""
    smooth = {
        "Parallelism": 1,
        "Order": "start-first",
        "FailureAction": "rollback",
        "Monitor": int(config.monitor_seconds * SECOND),
    }
    return {
        "task_template": task_template(config, spec, made),
        "name": names.service_name(config.instance, spec.key),
        "labels": names.service_labels(config, spec, revision),
        "mode": {"Replicated": {"Replicas": 1}},
        "endpoint_spec": {"Mode": "dnsrr"},
        "update_config": smooth,
        "rollback_config": {**smooth, "FailureAction": "pause"},
    }


def task_template(config: SwarmConfig, spec: WorkloadSpec, made: Made) -> dict[str, Any]:
    """One task. Nothing here needs the workload's cooperation, and nothing here can be widened by a spec."""
    return {
        "ContainerSpec": {
            "Image": image_of(config, spec),
            "Command": ["python3", "-I", "-S", ENTRY],
            "User": f"{config.uid}:{config.gid}",
            "Hostname": "workload",
            "Init": True,
            "ReadOnly": True,
            "CapabilityDrop": ["ALL"],
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            "StopGracePeriod": int(spec.limits.grace_seconds * SECOND),
            "Mounts": _mounts(config, made),
            "Configs": [program.reference() for program in made.programs],
            "Secrets": [_secret(config, made)],
            **({"Healthcheck": _health(config, spec.port)} if spec.port else {}),
        },
        "Resources": _resources(config, spec, made),
        "RestartPolicy": _restart(config, spec),
        "Placement": {"Constraints": constraints(spec)},
        "Networks": [{"Target": made.network, "Aliases": [spec.key.name]}],
        "LogDriver": {
            "Name": "json-file",
            "Options": {"max-size": str(ENGINE_LOG_BYTES), "max-file": str(ENGINE_LOG_FILES)},
        },
    }


def image_of(config: SwarmConfig, spec: WorkloadSpec) -> str:
    """The image as nodes know it. Raises BackendError."""
    try:
        return config.image_of(spec.image)
    except ValueError as error:
        raise BackendError(str(error)) from error


def constraints(spec: WorkloadSpec) -> list[str]:
    """The labels that a node must have, in the swarm's language. Raises BackendError for what says more than that."""
    for name, value in spec.labels.items():
        if not _LABEL.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BackendError(f"The label {name}={value} cannot be one of a node.")
    return [f"node.labels.{name}=={value}" for name, value in sorted(spec.labels.items())]


def _secret(config: SwarmConfig, made: Made) -> dict[str, Any]:
    return {
        "SecretID": made.secret_id,
        "SecretName": made.secret_name,
        "File": {"Name": ORDER, "UID": str(config.uid), "GID": str(config.gid), "Mode": 0o400},
    }


def _mounts(config: SwarmConfig, made: Made) -> list[dict[str, Any]]:
    """Everything that a task can write to lies in memory, has a size and goes with the task."""
    sizes = {made.work: config.work_bytes}
    for pack in made.packs:
        sizes[pack.path] = sizes.get(pack.path, 0) + pack.size + MIB
    shared = {"/tmp": config.tmp_bytes, "/dev/shm": config.shm_bytes}  # noqa: S108 - inside of the container
    return [
        *({"Type": "tmpfs", "Target": path, "TmpfsOptions": {"SizeBytes": size}} for path, size in shared.items()),
        *(_own_folder(config, path, size) for path, size in sizes.items()),
    ]


def _own_folder(config: SwarmConfig, path: str, size: int) -> dict[str, Any]:
    """A volume without a name. From the engine's own tmpfs nothing can be executed, and everybody can write to it."""
    owned = f"size={size},uid={config.uid},gid={config.gid},mode=0700,nosuid,nodev"
    driver = {"Name": "local", "Options": {"type": "tmpfs", "device": "tmpfs", "o": owned}}
    return {"Type": "volume", "Target": path, "VolumeOptions": {"NoCopy": True, "DriverConfig": driver}}


def _resources(config: SwarmConfig, spec: WorkloadSpec, made: Made) -> dict[str, Any]:
    """Reserved is what was asked for, so that the swarm packs by it. What was fetched lies in memory and is added."""
    limits: dict[str, Any] = {}
    reserved: dict[str, Any] = {}
    if spec.limits.processes is not None:
        limits["Pids"] = spec.limits.processes + OWN_PROCESSES
    if spec.limits.memory_bytes is not None:
        fetched = sum(pack.size for pack in made.packs)
        limits["MemoryBytes"] = max(spec.limits.memory_bytes, SMALLEST_MEMORY) + fetched
        reserved["MemoryBytes"] = limits["MemoryBytes"]
    if spec.limits.cpu is not None:
        reserved["NanoCPUs"] = int(spec.limits.cpu * SECOND)
        if spec.limits.cpu_hard:
            limits["NanoCPUs"] = reserved["NanoCPUs"]
    if spec.gpus:
        wanted = {"Kind": config.gpu_resource, "Value": len(spec.gpus)}
        reserved["GenericResources"] = [{"DiscreteResourceSpec": wanted}]
    return {"Limits": limits, "Reservations": reserved}


def _restart(config: SwarmConfig, spec: WorkloadSpec) -> dict[str, Any]:
    """What lives long is kept alive; anything else runs once."""
    if spec.kind not in config.kept_alive:
        return {"Condition": "none"}
    return {
        "Condition": "any",
        "Delay": int(config.delay_seconds * SECOND),
        "MaxAttempts": max(1, config.attempts),
        "Window": int(config.window_seconds * SECOND),
    }


def _health(config: SwarmConfig, port: int) -> dict[str, Any]:
    return {
        "Test": ["CMD", "python3", "-I", "-S", ENTRY, "probe", str(port)],
        "Interval": int(config.probe_seconds * SECOND),
        "Timeout": PROBE_TIMEOUT_SECONDS * SECOND,
        "StartPeriod": LOADING_SECONDS * SECOND,
        "Retries": PROBE_RETRIES,
    }

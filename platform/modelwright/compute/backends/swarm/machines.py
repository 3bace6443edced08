"""What the machines of a swarm have for workloads, as its manager describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelwright.compute.backends.base import Machine

CPU = 1_000_000_000


def machines_of(nodes: Sequence[Mapping[str, Any]], gpu_resource: str) -> list[Machine]:
    """Those that take workloads: ready, and neither paused nor drained. By title.

    One whose state is unknown was ready when the manager, which has just begun to be one, last heard of it: the swarm
    tells within seconds whether it is down.
    """
    found = [_machine(node, gpu_resource) for node in nodes if _takes_workloads(node)]
    return sorted(found, key=lambda machine: (machine.title, machine.name))


def _takes_workloads(node: Mapping[str, Any]) -> bool:
    state, availability = node.get("Status", {}).get("State"), node.get("Spec", {}).get("Availability", "active")
    return state in ("ready", "unknown") and availability == "active"


def _machine(node: Mapping[str, Any], gpu_resource: str) -> Machine:
    described = node.get("Description", {})
    has = described.get("Resources", {})
    return Machine(
        name=str(node["ID"]),
        title=str(described.get("Hostname") or node["ID"]),
        cpu=has.get("NanoCPUs", 0) / CPU,
        memory_bytes=int(has.get("MemoryBytes", 0)),
        gpus=_gpus(str(node["ID"]), has.get("GenericResources") or [], gpu_resource),
        labels=dict(node.get("Spec", {}).get("Labels") or {}),
    )


def _gpus(node: str, resources: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    """A machine offers its GPUs by name, or only says how many there are."""
    named, counted = [], 0
    for resource in resources:
        one, many = resource.get("NamedResourceSpec") or {}, resource.get("DiscreteResourceSpec") or {}
        if one.get("Kind") == kind:
            named.append(str(one["Value"]))
        elif many.get("Kind") == kind:
            counted += int(many.get("Value", 0))
    return [*sorted(named), *(f"{node}/{number}" for number in range(counted))]

"""What this host says of itself: cores, memory, GPUs, labels, versions."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil
from django.conf import settings

from modelwright.compute import swarm_room
from modelwright.compute.ending import SYSTEM
from modelwright.compute.gpu_reading import HANGS, Reader
from modelwright.compute.gpus import GpuReading
from modelwright.compute.labels import parse_labels
from modelwright.compute.models import GIB, Host
from modelwright.compute.services import announce_host as enter

# What stays for the platform itself.
RESERVED_MEMORY_BYTES = GIB
READER = Reader()


def announce_host() -> Host:
    """Enters this host with what it has for workloads, or renews its heartbeat."""
    return enter(
        name=settings.HOST_NAME,
        labels=parse_labels(settings.HOST_LABELS) if settings.HOST_LABELS else None,
        backend=settings.BACKEND,
        address=settings.HOST_ADDRESS or None,
        bridge_port=settings.BRIDGE_PORT or None,
        acting_user=SYSTEM,
        **(_of_the_swarm() if settings.BACKEND == "swarm" else _of_this_machine()),
    )


def _of_this_machine() -> dict[str, Any]:
    cpu, memory = _wanted()
    total = psutil.virtual_memory().total
    reading = READER.reading(settings.HOST_GPUS)
    return {
        "cpu": len(os.sched_getaffinity(0)) if cpu is None else cpu,
        "memory_bytes": max(total - RESERVED_MEMORY_BYTES, total // 2) if memory is None else memory,
        # Those that were known stay until the driver has said a first word.
        "gpus": None if reading is None else reading.gpus,
        "machines": [],
        "facts": facts(GpuReading(problem=HANGS) if reading is None else reading),
    }


def _of_the_swarm() -> dict[str, Any]:
    """What its machines have together; an administrator's setting bounds it. Until it is known all stays as it was."""
    machines, problem = swarm_room.READER.machines, swarm_room.READER.problem
    told = {**facts(GpuReading()), **({"machines_problem": problem} if problem else {})}
    if machines is None:
        return {"cpu": None, "memory_bytes": None, "facts": told}
    cpu, memory = _wanted()
    known = Host.objects.filter(name=settings.HOST_NAME).values_list("gpus", flat=True).first() or []
    has_cpu = round(sum(machine.cpu for machine in machines), 3)
    has_memory = sum(machine.memory_bytes for machine in machines)
    return {
        "cpu": has_cpu if cpu is None else min(cpu, has_cpu),
        "memory_bytes": has_memory if memory is None else min(memory, has_memory),
        "gpus": swarm_room.numbered(machines, known),
        "machines": swarm_room.rows(machines),
        "facts": told,
    }


def _wanted() -> tuple[float | None, int | None]:
    """CPUs and bytes that an administrator gives to workloads here, None where nobody has said."""
    cpu, memory_gib = os.environ.get("MODELWRIGHT_HOST_CPU"), os.environ.get("MODELWRIGHT_HOST_MEMORY_GIB")
    return float(cpu) if cpu else None, int(float(memory_gib) * GIB) if memory_gib else None


def facts(reading: GpuReading) -> dict[str, Any]:
    """What people want to know of a host and nothing decides by: versions, and what is wrong with its GPUs."""
    known = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "platform": _own_version(),
        "gpu_driver": reading.driver,
        "nvml": reading.nvml,
        "cuda": reading.cuda,
        "gpu_problem": reading.problem,
    }
    return {name: value for name, value in known.items() if value}


@lru_cache(maxsize=1)
def _own_version() -> str:
    try:
        return version("modelwright")
    except PackageNotFoundError:  # Run from a folder of code that is not installed.
        return ""

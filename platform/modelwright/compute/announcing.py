"""What this host says of itself: cores, memory, GPUs, labels, versions."""

from __future__ import annotations

import os
import platform
import time
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil
from django.conf import settings

from modelwright.compute.ending import SYSTEM
from modelwright.compute.gpus import GpuReading, read_gpus
from modelwright.compute.labels import parse_labels
from modelwright.compute.models import GIB, Host
from modelwright.compute.services import announce_host as enter

# What stays for the platform itself.
RESERVED_MEMORY_BYTES = GIB
# A reading takes 20 ms, and GPUs come and go seldom.
GPU_SECONDS = 10


def announce_host() -> Host:
    """Enters this host with what it has for workloads, or renews its heartbeat."""
    cpu = float(os.environ.get("MODELWRIGHT_HOST_CPU") or len(os.sched_getaffinity(0)))
    memory_gib = os.environ.get("MODELWRIGHT_HOST_MEMORY_GIB")
    total = psutil.virtual_memory().total
    memory = int(float(memory_gib) * GIB) if memory_gib else max(total - RESERVED_MEMORY_BYTES, total // 2)
    reading = _reading(settings.HOST_GPUS, int(time.monotonic() // GPU_SECONDS))
    return enter(
        name=settings.HOST_NAME,
        cpu=cpu,
        memory_bytes=memory,
        gpus=reading.gpus,
        labels=parse_labels(settings.HOST_LABELS) if settings.HOST_LABELS else None,
        backend=settings.BACKEND,
        address=settings.HOST_ADDRESS or None,
        bridge_port=settings.BRIDGE_PORT or None,
        facts=facts(reading),
        acting_user=SYSTEM,
    )


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
def _reading(source: str, _period: int) -> GpuReading:
    return read_gpus(source)


@lru_cache(maxsize=1)
def _own_version() -> str:
    try:
        return version("modelwright")
    except PackageNotFoundError:  # Run from a folder of code that is not installed.
        return ""

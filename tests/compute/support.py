"""What the tests of the Django side share: people's orders, and driving the watcher until something holds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from modelwright.accounts.actors import Actor
from modelwright.compute import environment_results, handing_in, services, watcher
from modelwright.compute.backends.base import Backend
from modelwright.compute.gpus import Gpu
from modelwright.compute.models import GIB, Host, Workload

from .backends_support import PATIENCE_SECONDS

ACTOR = Actor.system("tests")
HERE = "test-host"


def make_host(name: str = HERE, *, cpu: float = 4, memory_gib: float = 8) -> Host:
    return services.announce_host(name=name, cpu=cpu, memory_bytes=int(memory_gib * GIB), acting_user=ACTOR)


def gpu_host(**changes: Any) -> Host:
    """A host with three H100, of which the last has fallen off the bus."""
    facts: dict[str, Any] = {"name": "NVIDIA H100 80GB HBM3", "memory_bytes": 80 * GIB, **changes}
    gpus = [Gpu(0, "GPU-a", **facts), Gpu(1, "GPU-b", **facts), Gpu(2, problem="It does not answer: GPU is lost.")]
    return services.announce_host(
        name="gpu-host", cpu=8, memory_bytes=64 * GIB, gpus=gpus, labels={"gpu": "h100"}, acting_user=ACTOR
    )


def queue(text: str = "pass", **changes: Any) -> Workload:
    """A queued run of a small script."""
    values: dict[str, Any] = {
        "kind": "run",
        "name": "a run",
        "command": [sys.executable, "-S", "-u", "-c", text],
        "cpu": 1.0,
        "memory_bytes": GIB // 4,
        "grace_seconds": 1,
        "acting_user": ACTOR,
    }
    values.update(changes)
    return services.create_workload(**values)


def fresh(workload: Workload) -> Workload:
    return Workload.objects.select_related("host", "environment", "environment_request").get(pk=workload.pk)


def watch_until(
    condition: Callable[[], object], host: Host, backend: Backend, *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Lets the host's and the control plane's loops tick until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        watch_once(host, backend)
        time.sleep(0.05)


def watch_once(host: Host, backend: Backend) -> None:
    """One round of a host, and of what the control plane does with its builds."""
    watcher.tick(host, backend)
    handing_in.tick_runs(backend)
    handing_in.tick_others(backend)
    environment_results.collect()


def watch_to_end(workload: Workload, host: Host, backend: Backend) -> Workload:
    watch_until(lambda: fresh(workload).is_ended, host, backend)
    return fresh(workload)

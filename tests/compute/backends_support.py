"""What the backend tests share: specs of small Python scripts, and waiting for an end."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

from modelwright.compute.backends.base import Backend, Limits, Phase, WorkloadKey, WorkloadSpec, WorkloadStatus

PATIENCE_SECONDS = 180.0


def new_key(fence: int = 1) -> WorkloadKey:
    return WorkloadKey(str(uuid.uuid4()), fence)


def script(text: str, *arguments: str, key: WorkloadKey | None = None, **changes: Any) -> WorkloadSpec:
    """A spec that runs the text with this interpreter."""
    values: dict[str, Any] = {"environment": {"PATH": "/usr/bin:/bin"}, "limits": Limits(grace_seconds=1)}
    values.update(changes)
    return WorkloadSpec(key=key or new_key(), command=[sys.executable, "-S", "-u", "-c", text, *arguments], **values)


def wait_until(condition: Callable[[], object], *, what: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def wait_for_end(backend: Backend, key: WorkloadKey) -> WorkloadStatus:
    def ended() -> bool:
        status = backend.status(key)
        return status is not None and status.phase is Phase.ENDED

    wait_until(ended, what="the end of the workload")
    status = backend.status(key)
    assert status is not None
    return status


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False

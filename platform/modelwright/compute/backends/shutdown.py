"""Ends everything on a host, for whoever stops the whole installation."""

from __future__ import annotations

import time

from modelwright.compute.backends.base import Backend, Cause, Phase, WorkloadKey

_PAUSE_SECONDS = 0.05


def stop_all(backend: Backend, *, cause: Cause, message: str, seconds: float) -> list[WorkloadKey]:
    """Stops all that runs and waits for it at most `seconds`. Returns what runs even then."""
    deadline = time.monotonic() + seconds
    for key in _running(backend):
        backend.stop(key, cause=cause, message=message)
    while (running := _running(backend)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return running


def _running(backend: Backend) -> list[WorkloadKey]:
    return [status.key for status in backend.list() if status.phase is not Phase.ENDED]

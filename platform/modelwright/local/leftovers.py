"""Workloads outlive the worker and the watcher on purpose; stopping the whole platform ends them too."""

import time

from modelwright.compute.backends.base import Backend, BackendError, Cause, Phase, WorkloadKey

REASON = "The platform on this host was stopped."
WAIT_SECONDS = 40.0


def end_workloads(backend: Backend) -> int:
    """Ask every running workload of this host to end, and wait for that. Returns how many there were.

    Each leaves its record, which the watcher reads at the next start. Where nobody answers for them, they go on until
    the next start.
    """
    try:
        running = _running(backend)
        for key in running:
            backend.stop(key, cause=Cause.CANCELLED, message=REASON)
        deadline = time.monotonic() + WAIT_SECONDS
        while _running(backend) and time.monotonic() < deadline:
            time.sleep(0.1)
    except BackendError:
        return 0
    return len(running)


def _running(backend: Backend) -> list[WorkloadKey]:
    return [status.key for status in backend.list() if status.phase is not Phase.ENDED]

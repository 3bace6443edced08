"""Turning the watcher's loops by hand."""

from __future__ import annotations

import time
from collections.abc import Callable

from jobs.collector import collect_ended
from jobs.models import Run
from modelwright.compute import environment_results, handing_in, watcher

SECONDS = 120


def turn_until(condition: Callable[[], bool]) -> None:
    """Turn the watcher's loops until the condition holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        watcher.tick()
        handing_in.tick_runs()
        handing_in.tick_others()
        environment_results.collect()
        collect_ended()
        time.sleep(0.1)


def fresh(run: Run) -> Run:
    """The run as the database has it."""
    found: Run = Run.objects.select_related("workload__host", "workload__environment", "project").get(pk=run.pk)
    return found


def execute(run: Run) -> Run:
    """Turn the loops until the run has ended and is collected."""
    turn_until(lambda: fresh(run).workload.collected_at is not None)
    return fresh(run)

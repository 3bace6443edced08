"""States of workloads, environments and hosts, and what may follow what."""

from __future__ import annotations

from django.db import models

from modelwright.compute.backends.base import Cause
from modelwright.core.states import StateMachine

ENDS = frozenset(cause.value for cause in Cause)

WORKLOAD = StateMachine(
    "workload",
    {
        "queued": frozenset({"placed", "cancelled", "failed"}),
        # Back to the queue only while nobody has begun to start it.
        "placed": frozenset({"starting", "queued", "cancelled", "failed"}),
        "starting": ENDS | {"running"},
        "running": ENDS,
        **{end: frozenset() for end in ENDS},
    },
)

ENVIRONMENT_REQUEST = StateMachine(
    "environment request",
    {
        "building": frozenset({"ready", "failed"}),
        "ready": frozenset({"building"}),
        "failed": frozenset({"building"}),
    },
)

ENVIRONMENT = StateMachine("environment", {"ready": frozenset({"removed"}), "removed": frozenset({"ready"})})

ENVIRONMENT_COPY = StateMachine(
    "copy of an environment",
    {
        "building": frozenset({"ready", "failed", "removed"}),
        "ready": frozenset({"removed"}),
        "failed": frozenset({"building", "ready", "removed"}),
        "removed": frozenset({"building", "ready"}),
    },
)

HOST = StateMachine(
    "host",
    {
        "active": frozenset({"draining", "offline", "removed"}),
        "draining": frozenset({"active", "offline", "removed"}),
        "offline": frozenset({"active", "draining", "removed"}),
        # Only by joining again.
        "removed": frozenset({"active"}),
    },
)


class WorkloadState(models.TextChoices):
    """See `WORKLOAD` for the order."""

    QUEUED = "queued", "Queued"
    PLACED = "placed", "Placed"
    STARTING = "starting", "Starting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    TIMED_OUT = "timed_out", "Timed out"
    OUT_OF_MEMORY = "out_of_memory", "Out of memory"
    LOST = "lost", "Lost"


class EnvironmentRequestState(models.TextChoices):
    """Whether the environment of a requirements file can be used."""

    BUILDING = "building", "Building"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class EnvironmentState(models.TextChoices):
    """Whether the files of an environment are there."""

    READY = "ready", "Ready"
    REMOVED = "removed", "Removed"


class EnvironmentCopyState(models.TextChoices):
    """Whether a host has the environment."""

    BUILDING = "building", "Building"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    REMOVED = "removed", "Removed"


class HostState(models.TextChoices):
    """Whether a host takes workloads."""

    ACTIVE = "active", "Active"
    DRAINING = "draining", "Draining"
    OFFLINE = "offline", "Offline"
    REMOVED = "removed", "Removed"


LIVE_ON_HOST = (WorkloadState.PLACED, WorkloadState.STARTING, WorkloadState.RUNNING)

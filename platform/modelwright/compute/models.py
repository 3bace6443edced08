"""Tables: hosts and what they have, sizes to ask for, environments, workloads."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from modelwright.compute.states import (
    ENDS,
    EnvironmentRequestState,
    EnvironmentState,
    HostState,
    WorkloadState,
)
from modelwright.core.models import BaseModel, NamedModel

GIB = 1024**3


class Host(BaseModel):
    """A machine that runs workloads. Its watcher keeps `heartbeat_at` fresh."""

    name = models.CharField(max_length=255, unique=True)
    cpu = models.FloatField()
    memory_bytes = models.BigIntegerField()
    labels = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=HostState.choices, default=HostState.ACTIVE)
    heartbeat_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class ResourceProfile(NamedModel):
    """A size that a run or replica can ask for. CPU is a guaranteed share, memory a hard limit."""

    cpu = models.FloatField()
    memory_bytes = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="profile_name")]


class Environment(BaseModel):
    """Locked dependencies. The digest of lock and Python version names its folder."""

    lock_digest = models.CharField(max_length=64, unique=True)
    lock = models.TextField()
    python_version = models.CharField(max_length=16)
    state = models.CharField(max_length=16, choices=EnvironmentState.choices, default=EnvironmentState.READY)
    size_bytes = models.BigIntegerField(default=0)
    build = models.ForeignKey("Workload", null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return self.lock_digest[:12]


class EnvironmentRequest(BaseModel):
    """What a requirements file led to, so that an unchanged file needs neither resolution nor build."""

    class Kind(models.TextChoices):
        """The file that names the dependencies."""

        REQUIREMENTS = "requirements.txt", "requirements.txt"
        PYPROJECT = "pyproject.toml", "pyproject.toml"

    requirements_digest = models.CharField(max_length=64)
    python_version = models.CharField(max_length=16)
    kind = models.CharField(max_length=32, choices=Kind.choices)
    requirements = models.TextField(blank=True)
    state = models.CharField(
        max_length=16, choices=EnvironmentRequestState.choices, default=EnvironmentRequestState.BUILDING
    )
    environment = models.ForeignKey(Environment, null=True, on_delete=models.PROTECT, related_name="requests")
    workload = models.ForeignKey("Workload", null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")
    remedy = models.TextField(blank=True, default="")
    ready_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["requirements_digest", "python_version"], name="environment_request_key")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.requirements_digest[:12]}"


class Workload(BaseModel):
    """One process on one host, for whatever it is that needs it. Only `transitions.py` writes `state`."""

    class Kind(models.TextChoices):
        """What the workload is for."""

        RUN = "run", "Run"
        ENVIRONMENT = "environment", "Environment build"
        INSPECTION = "inspection", "Inspection"
        REPLICA = "replica", "Replica"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField(max_length=255)
    project_id = models.UUIDField(null=True, db_index=True)
    workspace_id = models.UUIDField(null=True, db_index=True)
    created_by = models.CharField(max_length=100)

    state = models.CharField(max_length=16, choices=WorkloadState.choices, default=WorkloadState.QUEUED)
    fence = models.BigIntegerField(null=True)
    host = models.ForeignKey(Host, null=True, on_delete=models.PROTECT, related_name="workloads")
    waiting_reason = models.TextField(blank=True, default="")
    # When a queued workload is looked at next, and whether a message about it is still unanswered.
    available_at = models.DateTimeField(default=timezone.now)
    hinted_at = models.DateTimeField(null=True)

    environment_request = models.ForeignKey(
        EnvironmentRequest, null=True, on_delete=models.PROTECT, related_name="workloads"
    )
    environment = models.ForeignKey(Environment, null=True, on_delete=models.PROTECT, related_name="workloads")
    environment_note = models.TextField(blank=True, default="")

    cpu = models.FloatField()
    memory_bytes = models.BigIntegerField()
    timeout_seconds = models.PositiveIntegerField(null=True)
    spec = models.JSONField()
    secrets = models.TextField(blank=True, default="")

    exit_code = models.IntegerField(null=True)
    signal = models.IntegerField(null=True)
    detail = models.TextField(blank=True, default="")
    peak_memory_bytes = models.BigIntegerField(null=True)
    queued_at = models.DateTimeField(default=timezone.now)
    placed_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    cancel_requested_by = models.CharField(max_length=100, blank=True, default="")
    collected_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["host"],
                condition=models.Q(state__in=["placed", "starting", "running"]),
                name="workload_live_on_host",
            ),
            models.Index(fields=["queued_at"], condition=models.Q(state="queued"), name="workload_queue"),
            models.Index(
                fields=["kind"],
                condition=models.Q(collected_at=None, state__in=sorted(ENDS)),
                name="workload_uncollected",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_ended(self) -> bool:
        """Whether it is over, for whatever cause."""
        return self.state in ENDS

    @property
    def key_name(self) -> str:
        """`<workload id>-<fence>`, the name of its folder and socket. Empty while it is not placed."""
        return "" if self.fence is None else f"{self.pk}-{self.fence}"

"""Tables: hosts and what they have, sizes to ask for, environments, workloads."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from modelwright.compute.states import (
    ENDS,
    EnvironmentCopyState,
    EnvironmentRequestState,
    EnvironmentState,
    HostState,
    WorkloadState,
)
from modelwright.core.models import BaseModel, NamedModel

GIB = 1024**3


class Host(BaseModel):
    """A machine that runs workloads. Its watcher keeps `heartbeat_at` fresh.

    `gpus` are what it announces: `[{"index", "uuid", "name", "memory_bytes", "mig"}]`, and `machines` those of a swarm
    that take workloads: `[{"id", "name", "cpu", "memory_bytes", "gpus", "labels"}]`. `facts` are shown and not used:
    versions of driver, engine and platform. `address` is where other hosts reach it, empty while nobody has to.
    """

    class Backend(models.TextChoices):
        """What its workloads run as."""

        PROCESS = "process", "Host processes"
        DOCKER = "docker", "Docker containers"
        SWARM = "swarm", "Docker Swarm services"

    name = models.CharField(max_length=255, unique=True)
    backend = models.CharField(max_length=16, choices=Backend.choices, default=Backend.PROCESS)
    address = models.CharField(max_length=255, blank=True, default="")
    bridge_port = models.PositiveIntegerField(null=True)
    # The PostgreSQL role that it signs in with, empty where it uses the platform's own.
    database_role = models.CharField(max_length=63, blank=True, default="")
    # The Redis user that it signs in with, and the SHA-256 of its password; empty where it uses the password of all.
    redis_user = models.CharField(max_length=63, blank=True, default="")
    redis_digest = models.CharField(max_length=64, blank=True, default="")
    cpu = models.FloatField()
    memory_bytes = models.BigIntegerField()
    gpus = models.JSONField(default=list, blank=True)
    machines = models.JSONField(default=list, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=HostState.choices, default=HostState.ACTIVE)
    # Somebody wants nothing placed here; it stays so over a restart of the host.
    drained = models.BooleanField(default=False)
    heartbeat_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class ResourceProfile(NamedModel):
    """A size that a run or replica can ask for. CPU is a guaranteed share, memory a hard limit, GPUs are whole ones.

    Only a host with all of `labels` is good enough for it.
    """

    cpu = models.FloatField()
    memory_bytes = models.BigIntegerField()
    gpus = models.PositiveSmallIntegerField(default=0)
    labels = models.JSONField(default=dict, blank=True)

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


class EnvironmentCopy(BaseModel):
    """An environment on one host: a folder named by the lock's digest, or with containers the image `image`."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="copies")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="environment_copies")
    state = models.CharField(max_length=16, choices=EnvironmentCopyState.choices, default=EnvironmentCopyState.BUILDING)
    workload = models.ForeignKey("Workload", null=True, on_delete=models.SET_NULL, related_name="+")
    image = models.CharField(max_length=255, blank=True, default="")
    error = models.TextField(blank=True, default="")
    remedy = models.TextField(blank=True, default="")
    ready_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "host"], name="environment_copy")]

    def __str__(self) -> str:
        return f"{self.environment_id} on {self.host_id}"


class JoinToken(BaseModel):
    """Lets one machine join as a host, once. Only the digest of the token is kept."""

    token_digest = models.CharField(max_length=64, unique=True)
    created_by = models.CharField(max_length=100)
    # Whoever made it acts when a machine joins with it.
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    labels = models.JSONField(default=dict, blank=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    host = models.ForeignKey(Host, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"token of {self.created_by}"

    @property
    def label_words(self) -> str:
        """The labels that its host gets, as people write them: `disk=ssd, quiet`."""
        return ", ".join(f"{name}={value}" if value else name for name, value in sorted(self.labels.items()))


class Workload(BaseModel):
    """One process on one host, for whatever it is that needs it. Only `transitions.py` writes `state`."""

    class Kind(models.TextChoices):
        """What the workload is for."""

        RUN = "run", "Run"
        ENVIRONMENT = "environment", "Environment build"
        INSPECTION = "inspection", "Inspection"
        REPLICA = "replica", "Replica"
        COMPILATION = "compilation", "Compilation"
        SCORING = "scoring", "Batch scoring"
        REEXECUTION = "reexecution", "Re-execution"
        REPLAY = "replay", "Replay"
        SESSION = "session", "Session"
        APPLICATION = "application", "Application"

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
    gpus = models.PositiveSmallIntegerField(default=0)
    # Indexes of the host's GPUs that are reserved for it while it is placed and lives.
    gpu_indexes = models.JSONField(default=list, blank=True)
    # Only a host with all of them is good enough.
    labels = models.JSONField(default=dict, blank=True)
    # A host that it must run on, such as a build of that host's copy of an environment.
    pinned_host = models.ForeignKey(Host, null=True, on_delete=models.PROTECT, related_name="+")
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
    # What its host handed in after the end: the log as a blob, and the manifest of what else it left, each a SHA-256.
    handed_in_at = models.DateTimeField(null=True)
    log_sha256 = models.CharField(max_length=64, blank=True, default="")
    results_sha256 = models.CharField(max_length=64, blank=True, default="")

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
            # Everything that metering reads, so that it never looks at the rows themselves.
            models.Index(
                fields=["placed_at", "finished_at"],
                include=[
                    "cpu",
                    "memory_bytes",
                    "gpus",
                    "workspace_id",
                    "project_id",
                    "created_by",
                    "kind",
                    "host",
                    "id",
                ],
                condition=models.Q(placed_at__isnull=False),
                name="workload_usage",
            ),
            models.Index(
                fields=["host"],
                condition=models.Q(handed_in_at=None, state__in=sorted(ENDS)),
                name="workload_not_handed_in",
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


class LogPiece(BaseModel):
    """A piece of the log of a workload that runs on a host whose disk the pages cannot read; gone once handed in."""

    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="log_pieces")
    fence = models.BigIntegerField()
    # The piece begins at this byte of the log.
    start = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workload", "fence", "start"], name="log_piece")]

    def __str__(self) -> str:
        return f"{self.workload_id} {self.start}"


class UsageRates(BaseModel):
    """What an hour of a CPU, of a GiB of memory and of a GPU costs. The newest row holds; none is ever changed."""

    currency = models.CharField(max_length=8)
    cpu_hour = models.DecimalField(max_digits=12, decimal_places=6)
    gib_hour = models.DecimalField(max_digits=12, decimal_places=6)
    gpu_hour = models.DecimalField(max_digits=12, decimal_places=6)
    created_by = models.CharField(max_length=100)

    def __str__(self) -> str:
        return f"{self.cpu_hour}, {self.gib_hour}, {self.gpu_hour} {self.currency}"

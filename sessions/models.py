"""Tables: sessions, each of their starts, what they used, and what was typed in them where a project asks for it."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from modelwright.compute.models import ResourceProfile, Workload
from modelwright.core.models import BaseModel
from projects.models import Project

DEFAULT_IDLE_SECONDS = 2 * 3600
DEFAULT_LIFE_SECONDS = 24 * 3600
SHORTEST_SECONDS = 60
LONGEST_SECONDS = 30 * 24 * 3600
_SECONDS = [MinValueValidator(SHORTEST_SECONDS), MaxValueValidator(LONGEST_SECONDS)]


class Session(BaseModel):
    """JupyterLab of one person, on a branch of its own. `workload` is that of the newest start; the state is its.

    What is in the work tree is saved on `refs/saved/<id>`, so it is there whatever becomes of the process.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="sessions")
    number = models.PositiveIntegerField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # The first label of its address.
    key = models.CharField(max_length=32, unique=True)
    base_commit = models.CharField(max_length=40)
    profile = models.ForeignKey(ResourceProfile, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # A ready image to work in, empty for an environment made from the requirements.
    image = models.CharField(max_length=255, blank=True, default="")
    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="session")
    token_digest = models.CharField(max_length=64, unique=True)
    token_died_at = models.DateTimeField(null=True, blank=True)
    idle_seconds = models.PositiveIntegerField(default=DEFAULT_IDLE_SECONDS, validators=_SECONDS)
    life_seconds = models.PositiveIntegerField(default=DEFAULT_LIFE_SECONDS, validators=_SECONDS)
    records_commands = models.BooleanField(default=False)
    # Since when Lab of the newest start answers, and what its agent said last.
    ready_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    active_at = models.DateTimeField(null=True, blank=True)
    is_busy = models.BooleanField(default=False)
    kernels = models.PositiveIntegerField(default=0)
    terminals = models.PositiveIntegerField(default=0)
    # The commit that holds the tree as it was saved last, and the files that could not be.
    saved_commit = models.CharField(max_length=40, blank=True, default="")
    saved_at = models.DateTimeField(null=True, blank=True)
    left_out = models.JSONField(default=list, blank=True)
    # What somebody installed in it, as requirements, and what of it shall stand in the project's requirements.
    packages = models.JSONField(default=list, blank=True)
    wanted_packages = models.JSONField(default=list, blank=True)
    # Why it was asked to end, empty while nobody has.
    ending = models.TextField(blank=True, default="")
    # Its branch and what it saved are gone; the row stays for the record.
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="session_number")]

    def __str__(self) -> str:
        return f"session {self.number}"

    @property
    def branch(self) -> str:
        """The branch that is its own."""
        return f"session/{self.number}"

    @property
    def saved_ref(self) -> str:
        """Where its tree is saved."""
        return f"refs/saved/{self.pk}"

    @property
    def state(self) -> str:
        """That of the workload of the newest start (see `compute.states`)."""
        return str(self.workload.state)

    @property
    def is_over(self) -> bool:
        """Whether its process has ended, for whatever cause."""
        return self.workload.is_ended

    @property
    def is_ready(self) -> bool:
        """Whether its Lab answers."""
        return self.workload.state == "running" and self.ready_at is not None


class SessionStart(BaseModel):
    """One start of a session: who, from where, and with which process."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="starts")
    number = models.PositiveIntegerField()
    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="+")
    started_by = models.CharField(max_length=100)
    address = models.CharField(max_length=100, blank=True, default="")
    ready_at = models.DateTimeField(null=True, blank=True)
    # Files of the tree that were seen to be read and written, with digests; null while it is not over.
    observed = models.JSONField(null=True, blank=True)
    # Why it was asked to end, empty where it ended by itself.
    ending = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "number"], name="session_start_number")]

    def __str__(self) -> str:
        return f"{self.session_id} {self.number}"


class SessionSample(BaseModel):
    """What the processes of a session used at a moment."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="samples")
    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    cpu_seconds = models.FloatField()
    memory_bytes = models.BigIntegerField()
    processes = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["session", "at"], name="session_sample_at")]

    def __str__(self) -> str:
        return f"{self.session_id} {self.at}"


class SessionCommand(BaseModel):
    """A cell that was run, or a line of a terminal, as the session's own process tells it."""

    class Kind(models.TextChoices):
        """Where it was typed."""

        CELL = "cell", "Cell"
        TERMINAL = "terminal", "Terminal"

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="commands")
    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="+")
    # Byte of the file that the session wrote it to, so that sending twice stores once.
    offset = models.BigIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    at = models.DateTimeField()
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workload", "offset"], name="session_command_once")]
        indexes = [models.Index(fields=["session", "-at"], name="session_command_at")]

    def __str__(self) -> str:
        return f"{self.kind} {self.text[:40]}"


class SessionRead(BaseModel):
    """A data connection that was taken in a session, or what was read of it, as the session's own process tells it."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="reads")
    workload = models.ForeignKey(Workload, on_delete=models.CASCADE, related_name="+")
    # Byte of the file that the session wrote it to, so that sending twice stores once.
    offset = models.BigIntegerField()
    at = models.DateTimeField()
    # As they were called then: a connection may be renamed or removed.
    connection = models.CharField(max_length=100)
    kind = models.CharField(max_length=16)
    # A statement, table or file; empty where only the connection was taken.
    what = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workload", "offset"], name="session_read_once")]
        indexes = [models.Index(fields=["session", "-at"], name="session_read_at")]

    def __str__(self) -> str:
        return f"{self.connection} {self.what[:40]}".strip()


class SessionPolicy(BaseModel):
    """What a project wants of its sessions."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+")
    records_commands = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"policy of {self.project_id}"

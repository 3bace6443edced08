"""Tables: workspaces, who is in them with which role, and the data that they may reach."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from modelwright.accounts.permissions import WORKSPACE_ROLE_CHOICES
from modelwright.core.models import BaseModel, NamedModel

SMALLEST_CPU = 0.1


class Workspace(NamedModel):
    """A tenant: people, projects and the resources that they may use together. A limit of None is no limit."""

    cpu_limit = models.FloatField(null=True, blank=True, validators=[MinValueValidator(SMALLEST_CPU)])
    memory_limit_mib = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    gpu_limit = models.PositiveSmallIntegerField(null=True, blank=True)
    concurrent_runs_limit = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    # Names of the sizes that its runs may ask for; empty for all of them.
    profiles = models.JSONField(default=list, blank=True)
    # Its workloads go only to hosts that have all of these labels.
    host_labels = models.JSONField(default=dict, blank=True)
    # Counts the changes; it is the ETag, so that nobody overwrites what they have not seen.
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="workspace_name")]

    def __str__(self) -> str:
        return self.name


class Membership(BaseModel):
    """A person's role in a workspace."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="workspace_memberships")
    role = models.CharField(max_length=16, choices=WORKSPACE_ROLE_CHOICES)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="workspace_membership")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.workspace}"


class DataConnection(NamedModel):
    """Where data comes from. `config` holds nothing secret; `secret` is encrypted and never shown again."""

    class Kind(models.TextChoices):
        """The systems that a connection may name."""

        POSTGRESQL = "postgresql", "PostgreSQL"
        S3 = "s3", "S3 object store"
        HTTP = "http", "Web address"
        DIRECTORY = "directory", "Directory on the hosts"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="data_connections")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    config = models.JSONField(default=dict)
    secret = models.TextField(blank=True, default="")
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="data_connection_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def has_secret(self) -> bool:
        """Whether a secret is kept with it."""
        return bool(self.secret)

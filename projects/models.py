"""Tables: projects, who works on them in which role, and the variables that their runs get."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from modelwright.accounts.permissions import PROJECT_ROLE_CHOICES
from modelwright.core.models import BaseModel, NamedModel
from modelwright.core.validators import validate_variable_name
from workspaces.models import Membership, Workspace

DEFAULT_BRANCH = "main"


class Project(NamedModel):
    """A body of work: a Git repository that the platform keeps, with members, variables, runs and models."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="projects")
    default_branch = models.CharField(max_length=63, default=DEFAULT_BRANCH)
    # The prototype that its first commit was copied from, empty for none.
    prototype = models.CharField(max_length=63, blank=True, default="")
    # Counts the changes; it is the ETag, so that nobody overwrites what they have not seen.
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="project_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def mlflow_workspace(self) -> str:
        """The name of the project's own MLflow workspace; never `default`, which everyone would share."""
        return f"p-{self.id.hex}"


class ProjectMembership(BaseModel):
    """A person's role in a project. It ends with their membership of the workspace."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    workspace_membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="project_memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="project_memberships")
    role = models.CharField(max_length=16, choices=PROJECT_ROLE_CHOICES)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="project_membership")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"


class Variable(BaseModel):
    """An environment variable of the project's workloads. `value` is encrypted; a secret's is never shown again."""

    class Delivery(models.TextChoices):
        """How a workload gets it."""

        ENVIRONMENT = "environment", "As an environment variable"
        FILE = "file", "As a file, whose path is in the environment variable"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="variables")
    name = models.CharField(max_length=128, validators=[validate_variable_name])
    description = models.CharField(max_length=200, blank=True, default="")
    value = models.TextField()
    is_secret = models.BooleanField(default=True)
    delivery = models.CharField(max_length=16, choices=Delivery.choices, default=Delivery.ENVIRONMENT)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=100, blank=True, default="")
    # Counts the changes; it is the ETag.
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="project_variable")]

    def __str__(self) -> str:
        return self.name


class SecretRead(BaseModel):
    """Secrets of a project that a workload was given. Only ever inserted; a trigger refuses everything else.

    `subject` is what the workload does as people call it, `subject_kind` and `subject_id` what it is of (a run, …). An
    import is no workload: the platform itself signs in with the secret.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="secret_reads")
    workload_id = models.UUIDField(db_index=True, null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=1)
    subject_kind = models.CharField(max_length=16)
    subject_id = models.UUIDField()
    subject = models.CharField(max_length=255)
    # Names as they were then: a secret that is deleted keeps its record.
    names = ArrayField(models.CharField(max_length=128))
    # For whom: whoever started it, or a part of the platform.
    person = models.CharField(max_length=100)
    person_id = models.UUIDField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-id"], name="secret_read_of_project"),
            GinIndex(fields=["names"], name="secret_read_names"),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {', '.join(self.names)}"


class SourceArchive(BaseModel):
    """The stored archive of a commit's files, so that only its first run makes one."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="source_archives")
    commit = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "commit"], name="source_archive")]

    def __str__(self) -> str:
        return f"{self.commit[:10]} of {self.project}"


class SourceImport(BaseModel):
    """A repository elsewhere whose files a project takes over; `importing/transitions.py` alone writes its state."""

    class Outcome(models.TextChoices):
        """What became of the project's main branch."""

        FORWARD = "forward", "The project is at the repository's newest commit"
        JOINED = "joined", "A new commit has the repository's files, with both histories behind it"
        NOTHING_NEW = "nothing-new", "The project had all of it already"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    address = models.CharField(max_length=1000)
    # Empty for the one that the repository itself calls its main branch.
    branch = models.CharField(max_length=120, blank=True, default="")
    # The name to sign in with and the secret variable that holds the password or token, empty for a public repository.
    username = models.CharField(max_length=100, blank=True, default="")
    secret = models.CharField(max_length=128, blank=True, default="")
    # Whether its files may take the place of those that the project has changed itself.
    replace = models.BooleanField(default=False)
    state = models.CharField(max_length=16, default="queued", db_index=True)
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(null=True, blank=True)
    # When the process that carries it out was last there, and how far it was.
    seen_at = models.DateTimeField(null=True, blank=True)
    progress = models.CharField(max_length=120, blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True)
    # The commit of the project that came of it, the newest one of the repository, and how the one became the other.
    commit = models.CharField(max_length=40, blank=True, default="")
    imported = models.CharField(max_length=40, blank=True, default="")
    outcome = models.CharField(max_length=16, choices=Outcome.choices, blank=True, default="")
    # What of the repository did not come along.
    notes = models.TextField(blank=True, default="")
    problem = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state__in=["queued", "running"]), name="one_import_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"import of {self.address}"

"""Tables: projects, who works on them in which role, and the variables that their runs get."""

from __future__ import annotations

from django.conf import settings
from django.db import models

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
    """An environment variable of the project's runs. `value` is encrypted; that of a secret is never shown again."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="variables")
    name = models.CharField(max_length=128, validators=[validate_variable_name])
    value = models.TextField()
    is_secret = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="project_variable")]

    def __str__(self) -> str:
        return self.name


class SourceArchive(BaseModel):
    """The stored archive of a commit's files, so that only its first run makes one."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="source_archives")
    commit = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "commit"], name="source_archive")]

    def __str__(self) -> str:
        return f"{self.commit[:10]} of {self.project}"

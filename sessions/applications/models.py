"""Tables: the applications of projects."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from modelwright.accounts.permissions import Permission
from modelwright.compute.models import ResourceProfile, Workload
from modelwright.core.models import NamedModel
from projects.models import Project


class Application(NamedModel):
    """A web server that people of the project reach at an address of its own. `workload` is that of the newest start.

    Whoever says that it shall run (`is_wanted`) is obeyed by the watcher, which starts it again when it ends.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="applications")
    # The first label of its address.
    key = models.CharField(max_length=32, unique=True)
    # A script with its arguments, or a program of the project's packages.
    command = models.CharField(max_length=1000)
    # Each start takes its newest commit; empty: the project's main branch.
    branch = models.CharField(max_length=120, blank=True, default="")
    commit = models.CharField(max_length=40, blank=True, default="")
    profile = models.ForeignKey(ResourceProfile, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    workload = models.OneToOneField(
        Workload, null=True, blank=True, on_delete=models.PROTECT, related_name="application"
    )
    is_wanted = models.BooleanField(default=True)
    # Whether everybody gets in who knows the address, without signing in.
    is_public = models.BooleanField(default=False)
    # Whether viewers of the project get in as well, after signing in.
    lets_viewers_in = models.BooleanField(default=False)
    # Ends one after another, each soon after its start; and when it is started again.
    failures = models.PositiveIntegerField(default=0)
    starts_at = models.DateTimeField(null=True, blank=True)
    # Since when its socket takes connections, and whether it did when it was looked at last.
    ready_at = models.DateTimeField(null=True, blank=True)
    answers = models.BooleanField(default=False)
    # Why it cannot be started, as far as the last try said.
    trouble = models.TextField(blank=True, default="")
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=models.Q(deleted_at=None), name="application_name"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        """Whether a process of it is there or on its way."""
        return self.workload is not None and not self.workload.is_ended

    @property
    def entering_permission(self) -> Permission:
        """What a person holds in the project who gets in after signing in."""
        return Permission.PROJECT_VIEW if self.lets_viewers_in else Permission.PREDICT

    @property
    def health(self) -> str:
        """How it is, as badges show it: stopped, starting, running, unhealthy, or failed and about to start again."""
        if not self.is_live:
            if not self.is_wanted:
                return "stopped"
            return "failed" if self.failures or self.trouble else "starting"
        if self.ready_at is None:
            return "starting"
        return "running" if self.answers else "unhealthy"

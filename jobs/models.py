"""Tables: jobs (what can be run) and runs (what was run)."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from jobs.validators import validate_script
from modelwright.compute.models import ResourceProfile, Workload
from modelwright.compute.states import WorkloadState
from modelwright.core.models import BaseModel, NamedModel
from projects.manifest import MAX_RETRIES
from projects.models import Project

LONGEST_TIMEOUT_SECONDS = 30 * 24 * 3600
MOST_RETRIES = MAX_RETRIES


class Job(NamedModel):
    """A script of the project with its arguments: started by hand, by schedule, or after another job.

    A job that stands in the project's manifest follows it, except for the fields named in `edited`, which a person
    has changed since.
    """

    class Source(models.TextChoices):
        """Where the job comes from."""

        MANIFEST = "manifest", "The project's manifest"
        PERSON = "person", "A person"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jobs")
    script = models.CharField(max_length=500, validators=[validate_script])
    arguments = models.JSONField(default=list, blank=True)
    profile = models.ForeignKey(ResourceProfile, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # A ready image to run in, empty for an environment made from the requirements.
    image = models.CharField(max_length=255, blank=True, default="")
    timeout_seconds = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(LONGEST_TIMEOUT_SECONDS)]
    )
    # How often a run is tried again that was lost with its host, and with `retry_failed` one that failed, too.
    retries = models.PositiveSmallIntegerField(default=0, blank=True, validators=[MaxValueValidator(MOST_RETRIES)])
    retry_failed = models.BooleanField(default=False)
    # Plain values; what is secret is a variable of the project.
    variables = models.JSONField(default=dict, blank=True)
    source = models.CharField(max_length=16, choices=Source.choices, default=Source.PERSON)
    edited = models.JSONField(default=list, blank=True)
    # A cron line in UTC, empty for none.
    schedule = models.CharField(max_length=100, blank=True, default="")
    next_run_at = models.DateTimeField(null=True, blank=True)
    runs_after = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="followers")
    is_active = models.BooleanField(default=True)
    # Why schedule or predecessor could not start it the last time, empty where they could.
    problem = models.TextField(blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Counts the changes; it is the ETag, so that nobody overwrites what they have not seen.
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="job_name")]
        indexes = [
            models.Index(
                fields=["next_run_at"], condition=models.Q(is_active=True, next_run_at__isnull=False), name="job_due"
            )
        ]


class ManifestSync(BaseModel):
    """The commit whose manifest the project's jobs follow, and what was wrong with it, empty for nothing."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+")
    commit = models.CharField(max_length=64)
    problem = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return f"{self.project_id} {self.commit[:10]}"


class Run(BaseModel):
    """One execution of a script at a commit, in one attempt or several. `workload` is that of the newest attempt."""

    class Trigger(models.TextChoices):
        """What started the run."""

        HAND = "by hand", "By hand"
        SCHEDULE = "schedule", "By schedule"
        AFTER = "after", "After another job"
        API = "api", "Over the API"
        PUSH = "push", "By a push"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="runs")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="runs")
    # The job's name at the time, or the script's: the name of the MLflow experiment.
    name = models.CharField(max_length=63)
    number = models.PositiveIntegerField()
    commit = models.CharField(max_length=64)
    script = models.CharField(max_length=500)
    arguments = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="run")
    # The number of the newest attempt, and how many may follow the first.
    attempt = models.PositiveSmallIntegerField(default=1)
    retries = models.PositiveSmallIntegerField(default=0)
    retry_failed = models.BooleanField(default=False)
    token_digest = models.CharField(max_length=64, unique=True)
    token_died_at = models.DateTimeField(null=True)
    trigger = models.CharField(max_length=16, choices=Trigger.choices)
    after_run = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # What was observed while it ran: files read and written with digests, library lock, seeds, arguments.
    observed = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="run_number")]
        indexes = [models.Index(fields=["project", "-id"], name="run_of_project")]

    def __str__(self) -> str:
        return f"{self.name} #{self.number}"

    @property
    def state(self) -> str:
        """That of the newest attempt (see `compute.states`); queued where another one is about to follow."""
        return WorkloadState.QUEUED if self.will_retry else self.workload.state

    @property
    def will_retry(self) -> bool:
        """Whether the newest attempt is over and another one follows: nobody wanted the end, and one is left."""
        workload = self.workload
        if self.attempt > self.retries or workload.collected_at or workload.cancel_requested_at:
            return False
        did_fail = workload.state == WorkloadState.FAILED and workload.started_at is not None
        # Cancelled, and nobody asked for it: its host was stopped.
        was_taken_away = workload.state in (WorkloadState.LOST, WorkloadState.CANCELLED)
        return was_taken_away or (self.retry_failed and did_fail)

    @property
    def is_over(self) -> bool:
        """Whether it has ended and no attempt follows."""
        return self.workload.is_ended and not self.will_retry


class Attempt(BaseModel):
    """One try of a run. Each has a workload and a tracking token of its own."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="attempt")
    # Why there is a second one and so on; empty for the first.
    because = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="attempt_number")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.number}"


class ArtifactUse(BaseModel):
    """An artifact that a run fetched or sent through the tracking address, as the proxy saw it."""

    class Kind(models.TextChoices):
        """Which way the artifact went."""

        READ = "read", "Read"
        WROTE = "wrote", "Wrote"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifact_uses")
    # Below the project's folder of artifacts.
    path = models.CharField(max_length=1000)
    kind = models.CharField(max_length=8, choices=Kind.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "kind", "path"], name="artifact_use")]

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"


class PushStart(NamedModel):
    """Starts a job when a branch gets new commits: of the project's own repository, or of one elsewhere, which posts.

    The run is `maker`'s, who must still be allowed to start it. `secret` is encrypted, empty for the own repository.
    """

    class Via(models.TextChoices):
        """Where the push happens, and how whoever posts shows that it is them."""

        GIT = "git", "This project's repository"
        GITHUB = "github", "GitHub (X-Hub-Signature-256)"
        GITEA = "gitea", "Gitea or Forgejo (X-Gitea-Signature)"
        GITLAB = "gitlab", "GitLab (X-Gitlab-Token)"
        STANDARD = "standard", "Standard Webhooks (webhook-signature)"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="push_starts")
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="push_starts")
    via = models.CharField(max_length=16, choices=Via.choices)
    # Empty for every branch.
    branch = models.CharField(max_length=255, blank=True, default="")
    secret = models.TextField(blank=True, default="")
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    is_active = models.BooleanField(default=True)
    # When a request was refused last and that was audited: the next row comes a minute later at the earliest.
    refused_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="push_start_name")]


class Push(BaseModel):
    """A push that was told to a `PushStart`, and what came of it. Each is taken once: `key` is the digest of what was
    posted, or the id of the audit row of the own repository's push."""

    class Outcome(models.TextChoices):
        """What came of it."""

        STARTED = "started", "Started a run"
        IGNORED = "ignored", "Not meant"
        FAILED = "failed", "Could not start"

    start = models.ForeignKey(PushStart, on_delete=models.CASCADE, related_name="pushes")
    key = models.CharField(max_length=64)
    branch = models.CharField(max_length=255, blank=True, default="")
    commit = models.CharField(max_length=64, blank=True, default="")
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    detail = models.TextField(blank=True, default="")
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Where it was posted from, empty for the own repository.
    address = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["start", "key"], name="push_once")]
        indexes = [models.Index(fields=["start", "-id"], name="push_of_start")]

    def __str__(self) -> str:
        return f"{self.branch} {self.commit[:10]}: {self.outcome}"

"""Tables: what was stored in the order in which it became visible, who has read how far, and where events are sent."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from models.events.states import LetterState, SinkState
from modelwright.core.models import BaseModel, NamedModel
from projects.models import Project
from workspaces.models import Workspace

# The most events of one POST.
MOST_EVENTS = 100


class Family(models.TextChoices):
    """Kinds of events that a sink can ask for."""

    REQUEST = "request", "Requests"
    ANSWER = "answer", "Answers"
    FEEDBACK = "feedback", "Feedback"
    DEPLOYMENT = "deployment", "Deployments and rollbacks"
    ROLLOUT = "rollout", "Rollouts"
    APPROVAL = "approval", "Approvals"
    MODEL = "model", "Models and versions"
    ALERT = "alert", "Alerts, drills and replays"
    RUN = "run", "Runs and batch jobs"
    SOURCE = "source", "Commits and pushes"


class Arrival(models.Model):
    """The things of one kind and one endpoint that one statement stored; a trigger writes it in their transaction.

    Once it is visible, `ordering.tick` gives it a place in the stream: the thing `ids[n]` has the position `first + n`.
    `what` is the action, where the thing is a row of the audit log. It holds no values: those are read when an event is
    made, so whatever was deleted meanwhile is no event any more.
    """

    class Kind(models.TextChoices):
        """Of which table `ids` are."""

        PREDICTION = "prediction", "Prediction"
        FEEDBACK = "feedback", "Feedback"
        CHANGE = "change", "Row of the audit log"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=16, choices=Kind.choices)
    what = models.CharField(max_length=64, blank=True, default="", db_default="")
    project_id = models.UUIDField(null=True)
    endpoint_id = models.UUIDField(null=True)
    ids = ArrayField(models.UUIDField())
    size = models.PositiveIntegerField()
    first = models.BigIntegerField(null=True, unique=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="arrival_without_position", condition=models.Q(first=None)),
            models.Index(fields=["project_id", "first"], name="arrival_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.size} x {self.kind} from {self.first}"


class StreamHead(models.Model):
    """The one row that says how far the stream goes: `position` is that of the newest thing, `kept_from` that of the
    oldest of which the stream still knows. Whoever gives out positions holds it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(default=0)
    kept_from = models.BigIntegerField(default=1)

    def __str__(self) -> str:
        return str(self.position)


class Subscriber(models.Model):
    """A reader inside the platform, and the position of the last thing that it is done with."""

    name = models.CharField(primary_key=True, max_length=63)
    position = models.BigIntegerField()
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.position}"


class Sink(NamedModel):
    """Where the events of a project, or of all projects of a workspace, are posted to. Only `transitions.py` writes
    `state`.

    `position` is that of the last thing that it is done with, `part` how many events of the next one it has already.
    `secret` is encrypted. Whoever delivers holds it until `leased_until`, by its own `fence`.
    """

    class Mode(models.TextChoices):
        """How events are posted."""

        BATCH = "batch", "Several at once (application/cloudevents-batch+json)"
        SINGLE = "single", "One at a time (application/cloudevents+json)"

    # Of one of the two.
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.PROTECT, related_name="event_sinks")
    workspace = models.ForeignKey(
        Workspace, null=True, blank=True, on_delete=models.PROTECT, related_name="event_sinks"
    )
    url = models.CharField(max_length=1000)
    mode = models.CharField(max_length=16, choices=Mode.choices, default=Mode.BATCH)
    families = ArrayField(models.CharField(max_length=16, choices=Family.choices))
    # Of these endpoints alone; empty for all there are.
    endpoint_ids = ArrayField(models.UUIDField(), default=list, blank=True)
    secret = models.TextField()
    created_by = models.CharField(max_length=100)
    state = models.CharField(max_length=16, choices=SinkState.choices, default=SinkState.ACTIVE)
    # Why it is paused.
    detail = models.TextField(blank=True, default="")

    position = models.BigIntegerField()
    part = models.PositiveSmallIntegerField(default=0)
    batch_limit = models.PositiveSmallIntegerField(default=MOST_EVENTS)
    delivered = models.BigIntegerField(default=0)
    # Things that the stream forgot before they were sent.
    missed = models.BigIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    # Whether a server's error has cost an event since the last one that was taken.
    gave_up_one = models.BooleanField(default=False)
    # Events that it refused since the last one that it took, or since it was resumed.
    refused = models.PositiveIntegerField(default=0, db_default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="event_sink_name"),
            models.UniqueConstraint(fields=["workspace", "name"], name="event_sink_workspace_name"),
            models.CheckConstraint(
                condition=models.Q(project=None, workspace__isnull=False)
                | models.Q(workspace=None, project__isnull=False),
                name="event_sink_of_one",
            ),
        ]

    @property
    def home(self) -> Project | Workspace:
        """Whose events it gets."""
        found: Project | Workspace | None = self.project or self.workspace
        assert found is not None  # noqa: S101 - the database sees to it
        return found


class DeadLetter(BaseModel):
    """An event that a sink did not take, or that waits behind such a one of the same key. It holds no values.

    `position` and `part` are its place in the stream; of one key, none is sent before an earlier one is settled.
    """

    sink = models.ForeignKey(Sink, on_delete=models.CASCADE, related_name="letters")
    position = models.BigIntegerField()
    part = models.PositiveSmallIntegerField(default=0)
    event_id = models.CharField(max_length=80)
    type = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=Arrival.Kind.choices)
    thing_id = models.UUIDField()
    endpoint_id = models.UUIDField(null=True)
    key = models.CharField(max_length=80)
    state = models.CharField(max_length=16, choices=LetterState.choices)
    reason = models.TextField(blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    settled_by = models.CharField(max_length=100, blank=True, default="")
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sink", "position", "part"], name="dead_letter_place")]
        indexes = [
            models.Index(
                fields=["sink", "key", "position", "part"],
                name="dead_letter_open",
                condition=models.Q(state__in=("dead", "held", "due")),
            )
        ]

    def __str__(self) -> str:
        return self.event_id

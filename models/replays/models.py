"""Tables: replays and what they found, what an endpoint asks of them; drills, their golden requests and alerts."""

from __future__ import annotations

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from models.endpoints.models import Deployment, Endpoint, Replica
from models.registry.models import ModelVersion
from models.replays.states import DRILL_UNDER_WAY, REPLAY_UNDER_WAY, DrillState, ReplayState
from modelwright.compute.models import Workload
from modelwright.core.models import BaseModel

MOST_REQUESTS = 10_000
USUAL_REQUESTS = 1000
_SHARE = [MinValueValidator(0.0), MaxValueValidator(1.0)]


class ReplayPolicy(BaseModel):
    """What a replay of an endpoint must come to, to pass. Shares are from 0 to 1; None is not judged.

    `max_flip_rate` is the share of records that are answered otherwise, `max_error_rate` of those that the candidate
    cannot answer, `max_metric_drop` what accuracy may be lower where truth is known, `max_latency_factor` how many
    times longer the median request may take. A segment fails where even the lower end of its interval is above
    `max_segment_flip_rate`. Numbers are another answer where they differ by more than `numeric_tolerance` of their
    size. `segment_columns` are those to look at, none for all that lend themselves to it.
    """

    endpoint = models.OneToOneField(Endpoint, on_delete=models.CASCADE, related_name="replay_policy")
    max_flip_rate = models.FloatField(default=0.05, validators=_SHARE)
    max_segment_flip_rate = models.FloatField(null=True, blank=True, default=0.25, validators=_SHARE)
    max_error_rate = models.FloatField(default=0.0, validators=_SHARE)
    max_metric_drop = models.FloatField(null=True, blank=True, default=0.01, validators=_SHARE)
    max_latency_factor = models.FloatField(null=True, blank=True, default=None, validators=[MinValueValidator(0.1)])
    # So many of the newest requests are asked at least, where so many are on record.
    min_requests = models.PositiveIntegerField(
        default=100, validators=[MinValueValidator(1), MaxValueValidator(MOST_REQUESTS)]
    )
    min_rows = models.PositiveIntegerField(default=30, validators=[MinValueValidator(1), MaxValueValidator(100_000)])
    numeric_tolerance = models.FloatField(default=0.01, validators=_SHARE)
    segment_columns = models.JSONField(default=list, blank=True)


class Replay(BaseModel):
    """The newest requests on record of an endpoint, asked of a candidate. Only `transitions.py` writes `state`.

    `base` is the version that gave most of the recorded answers; it is asked again beside the candidate where its
    files are there, for latency on equal terms. `thresholds` are those of the policy when it began. `selection` says
    what was taken of the record and what was left out. `report` is as `judging.py` says, empty before the end.
    `reasons` are why it failed.
    """

    project_id = models.UUIDField()
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="replays")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="replays")
    base = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    served_by = models.CharField(max_length=80, default="original")
    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="replay")
    base_workload = models.OneToOneField(Workload, null=True, on_delete=models.PROTECT, related_name="base_of_replay")
    state = models.CharField(max_length=16, choices=ReplayState.choices, default=ReplayState.QUEUED)
    detail = models.TextField(blank=True, default="")
    reasons = models.JSONField(default=list, blank=True)
    thresholds = models.JSONField(default=dict)
    selection = models.JSONField(default=dict)
    report = models.JSONField(default=dict, blank=True)
    requested_by = models.CharField(max_length=100)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "candidate"],
                condition=models.Q(state__in=REPLAY_UNDER_WAY),
                name="replay_one_under_way",
            )
        ]
        indexes = [models.Index(fields=["candidate", "-id"], name="replay_of_candidate")]

    def __str__(self) -> str:
        return f"replay of {self.candidate} for {self.endpoint.name}"

    @property
    def is_under_way(self) -> bool:
        """Whether it is not over."""
        return self.state in REPLAY_UNDER_WAY


class ReplayRequest(models.Model):
    """A request that a replay asks again, by the id of its prediction, in the order in which it is asked.

    `refused` says why the candidate was not asked: the input does not fit its signature. Whether the base was asked
    says `asks_base`.
    """

    pk = models.CompositePrimaryKey("replay_id", "place")
    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="requests")
    place = models.PositiveIntegerField()
    prediction_id = models.UUIDField()
    refused = models.TextField(blank=True, default="")
    asks_base = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.replay_id} {self.place}"


class ReplayChange(BaseModel):
    """A record that the candidate answers otherwise, or cannot answer. What was answered stands in the prediction.

    `after` and `score_after` are None where it cannot answer; `error` then says why. `segments` are the record's
    segments by column. `verdict` says which of the two is true, empty where nobody knows.
    """

    class Verdict(models.TextChoices):
        """What truth says of the two answers."""

        BETTER = "better", "New answer is true"
        WORSE = "worse", "Old answer was true"
        NEITHER = "neither", "Neither is true"

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="changes")
    prediction_id = models.UUIDField(db_index=True)
    record = models.PositiveIntegerField()
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    score_before = models.FloatField(null=True)
    score_after = models.FloatField(null=True)
    truth = models.JSONField(null=True)
    verdict = models.CharField(max_length=16, choices=Verdict.choices, blank=True, default="")
    error = models.TextField(blank=True, default="")
    segments = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [models.Index(fields=["replay", "id"], name="change_of_replay")]

    def __str__(self) -> str:
        return f"{self.prediction_id.hex} record {self.record}"


class DrillPolicy(BaseModel):
    """When an endpoint's way back is proved. `schedule` is a cron line in UTC, empty for by hand alone.

    A drill fails, too, where a version takes longer than `max_seconds` from being asked for to its last answer.
    """

    endpoint = models.OneToOneField(Endpoint, on_delete=models.CASCADE, related_name="drill_policy")
    schedule = models.CharField(max_length=100, blank=True, default="")
    next_at = models.DateTimeField(null=True, blank=True, db_index=True)
    max_seconds = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(86_400)]
    )
    golden_requests = models.PositiveIntegerField(default=20, validators=[MinValueValidator(1), MaxValueValidator(500)])
    # Why the last time that was due began nothing, empty where it did.
    note = models.TextField(blank=True, default="")


class GoldenRequest(BaseModel):
    """A prediction on record that a person wants asked in each drill of its version. It goes with the prediction."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="golden_requests")
    prediction_id = models.UUIDField()
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    note = models.CharField(max_length=200, blank=True, default="")
    pinned_by = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "prediction_id"], name="golden_request_once")]

    def __str__(self) -> str:
        return self.prediction_id.hex


class Drill(BaseModel):
    """One proof that a version can be gone back to: started, asked, timed, taken away. Only `transitions.py` writes
    `state`.

    `deployment` is what a rollback would repeat. Of the `asked` golden requests `differing` were answered otherwise
    than on record; `examples` are some of those: `[{"prediction_id", "detail"}]`.
    """

    class Trigger(models.TextChoices):
        """What began it."""

        SCHEDULE = "schedule", "Schedule"
        PERSON = "person", "Person"

    project_id = models.UUIDField()
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="drills")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="drills")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="drills")
    # None where not even one could be queued.
    replica = models.OneToOneField(Replica, null=True, on_delete=models.PROTECT, related_name="drill")
    trigger = models.CharField(max_length=16, choices=Trigger.choices)
    requested_by = models.CharField(max_length=100)
    state = models.CharField(max_length=16, choices=DrillState.choices, default=DrillState.QUEUED)
    detail = models.TextField(blank=True, default="")
    max_seconds = models.PositiveIntegerField(null=True)
    golden = models.PositiveIntegerField(default=0)
    asked = models.PositiveIntegerField(default=0)
    compared = models.PositiveIntegerField(default=0)
    differing = models.PositiveIntegerField(default=0)
    examples = models.JSONField(default=list, blank=True)
    placed_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    # Its first golden request: drills are asked one after another.
    asked_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "model_version"],
                condition=models.Q(state__in=DRILL_UNDER_WAY),
                name="drill_one_under_way",
            )
        ]
        indexes = [models.Index(fields=["endpoint", "-id"], name="drill_of_endpoint")]

    def __str__(self) -> str:
        return f"drill of {self.model_version} for {self.endpoint.name}"

    @property
    def is_under_way(self) -> bool:
        """Whether it is not over."""
        return self.state in DRILL_UNDER_WAY

    @property
    def queue_seconds(self) -> float | None:
        """From being asked for to its place on a host, None before."""
        return _between(self.created_at, self.placed_at)

    @property
    def start_seconds(self) -> float | None:
        """From its place on a host until it answered for the first time, None before."""
        return _between(self.placed_at, self.ready_at)

    @property
    def answer_seconds(self) -> float | None:
        """What all golden requests took together, None before."""
        return _between(self.asked_at or self.ready_at, self.answered_at)

    @property
    def total_seconds(self) -> float | None:
        """From being asked for until the last golden request was answered, None before. Without what it waited, ready,
        while other drills were asked: a rollback waits for none of them."""
        whole = _between(self.created_at, self.answered_at)
        return None if whole is None else whole - (_between(self.ready_at, self.asked_at) or 0.0)


class DrillAlert(BaseModel):
    """A drill failed and nobody has shown since that its endpoint's way back is open.

    It ends when a later drill of the same version passes, or when another version is what a rollback goes back to and
    its drill passes. One per endpoint is open at a time.
    """

    project_id = models.UUIDField()
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="drill_alerts")
    drill = models.ForeignKey(Drill, on_delete=models.CASCADE, related_name="alerts")
    detail = models.TextField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=100, blank=True, default="")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint"], condition=models.Q(ended_at=None), name="drill_alert_one_open")
        ]

    def __str__(self) -> str:
        return f"{self.endpoint.name}: {self.detail[:60]}"


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else (end - begin).total_seconds()

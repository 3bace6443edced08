"""Tables: predictions, what is counted of them by the minute, how far each segment of a spool has been shipped; truth
for them, re-executions of them, and the public keys of their receipts."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from models.predictions.states import ReexecutionState
from modelwright.compute.models import Workload
from modelwright.core.ids import new_id
from modelwright.core.models import BaseModel


class Prediction(models.Model):
    """One answered request, as the gateway recorded it before it answered, or one that its model failed.

    No foreign keys: names are kept as they were. `inputs` and `outputs` have one item per record of the request;
    `outputs` is empty where `status` is not 200, and `error` says what happened (`{"code", "message"}`). The id is the
    gateway's, a UUIDv7: the table is partitioned by it, so that a range of ids is a range of time (`partitions.py`).
    """

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    project_id = models.UUIDField(null=True)
    endpoint_id = models.UUIDField()
    deployment_id = models.UUIDField()
    model_version_id = models.UUIDField()
    key_id = models.UUIDField(null=True)
    inputs = models.JSONField()
    outputs = models.JSONField()
    probabilities = models.JSONField(null=True)
    latency_ms = models.FloatField()
    endpoint_name = models.CharField(max_length=130, blank=True, default="")
    deployment_number = models.PositiveIntegerField(null=True)
    model_name = models.CharField(max_length=256, blank=True, default="")
    version_number = models.PositiveIntegerField(null=True)
    key_name = models.CharField(max_length=100, blank=True, default="")
    protocol = models.CharField(max_length=16, default="own", db_default="own")
    served_by = models.CharField(max_length=80, default="original", db_default="original")
    status = models.PositiveSmallIntegerField(default=200, db_default=200)
    error = models.JSONField(null=True)
    trace_id = models.CharField(max_length=32, blank=True, default="", db_default="")
    # Records of the request. None on what was recorded before there was this column: then count the inputs.
    rows = models.PositiveIntegerField(null=True)
    # In which role the version answered (`DeploymentTarget.Role`), and how it came to be asked: `{"by": "weight" |
    # "unit" | "header" | "key" | "path", "unit"?: digest}`.
    role = models.CharField(max_length=16, default="live", db_default="live")
    assignment = models.JSONField(null=True)
    # The prediction that a client got, of which this is a shadow's.
    shadow_of = models.UUIDField(null=True)
    # Why the fallback answered, empty where it did not.
    fallback = models.CharField(max_length=200, blank=True, default="", db_default="")
    # What each node of an inference graph answered, in the order in which they were asked.
    nodes = models.JSONField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["endpoint_id", "-id"], name="prediction_of_endpoint"),
            models.Index(fields=["deployment_id", "-id"], name="prediction_of_deployment"),
            models.Index(fields=["endpoint_id", "-id"], name="prediction_failed", condition=~models.Q(status=200)),
        ]

    def __str__(self) -> str:
        return self.id.hex


class PredictionBucket(models.Model):
    """What a version answered for a deployment of an endpoint within a minute, counted when its records were shipped.

    `count` are requests, `rows` their records, `errors` the requests that the model failed. `latency` counts those that
    were answered by `histogram.BOUNDS_MS`, `latency_sum_ms` adds up how long they took. Retention leaves buckets alone:
    they hold no values.
    """

    pk = models.CompositePrimaryKey("endpoint_id", "minute", "deployment_id", "model_version_id")
    endpoint_id = models.UUIDField()
    minute = models.DateTimeField()
    deployment_id = models.UUIDField()
    model_version_id = models.UUIDField()
    count = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    latency = ArrayField(models.BigIntegerField())
    latency_sum_ms = models.FloatField(default=0.0)
    role = models.CharField(max_length=16, default="live", db_default="live")
    # Requests that the fallback answered.
    fallbacks = models.BigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"{self.endpoint_id} {self.minute}"


class SpoolState(models.Model):
    """What waits in the spool of a host, as its shipper saw it at `seen_at`. `oldest_at` is when the oldest request was
    received that is not stored yet, None where none waits. `fault` says what was put aside
    there and is still there."""

    host = models.CharField(primary_key=True, max_length=100)
    waiting_bytes = models.BigIntegerField(default=0)
    oldest_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    fault = models.TextField(blank=True, default="", db_default="")

    def __str__(self) -> str:
        return f"{self.host}: {self.waiting_bytes} bytes wait"


class SpoolPosition(models.Model):
    """Up to which byte a segment's records are in the table. `head` are its first bytes, so that another segment under
    the same name is not taken for it."""

    segment = models.CharField(primary_key=True, max_length=120)
    head = models.CharField(max_length=32, blank=True, default="")
    offset = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.segment}: {self.offset}"


class Feedback(models.Model):
    """What turned out to be true for one record of a prediction, or for a response that is given with it.

    Rows are only ever inserted; a trigger refuses UPDATE and DELETE. Of several for one record, the one that was known
    last counts (`known_at`, then `id`). The prediction may not be on record: not yet, or not any more. `problem` says
    where the truth is of another type than the version's output; such a row does not count.
    """

    class Source(models.TextChoices):
        """Who said it."""

        KEY = "key", "Key of the endpoint"
        PERSON = "person", "Person"

    id = models.UUIDField(primary_key=True, default=new_id)
    created_at = models.DateTimeField(default=timezone.now)
    project_id = models.UUIDField(null=True)
    endpoint_id = models.UUIDField()
    prediction_id = models.UUIDField(null=True)
    # The record of the prediction, from 0.
    record = models.PositiveIntegerField(default=0)
    truth = models.JSONField()
    response = models.JSONField(null=True)
    happened_at = models.DateTimeField(null=True)
    known_at = models.DateTimeField()
    source = models.CharField(max_length=16, choices=Source.choices)
    # The key or the person.
    source_id = models.UUIDField(null=True)
    created_by = models.CharField(max_length=100, blank=True, default="")
    problem = models.TextField(blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["prediction_id", "record", "-known_at", "-id"], name="feedback_of_prediction"),
            models.Index(fields=["endpoint_id", "-id"], name="feedback_of_endpoint"),
            models.Index(fields=["endpoint_id", "prediction_id", "record"], name="feedback_coverage"),
        ]

    def __str__(self) -> str:
        return self.id.hex


class Reexecution(BaseModel):
    """A prediction made again, on its exact version and by the same path. Only `transitions.py` writes `state`.

    `outputs` and `probabilities` are what came this time; `difference` is empty unless the state is `different`.
    """

    prediction_id = models.UUIDField(db_index=True)
    project_id = models.UUIDField()
    endpoint_id = models.UUIDField()
    model_version_id = models.UUIDField()
    served_by = models.CharField(max_length=80)
    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="reexecution")
    requested_by = models.CharField(max_length=100)
    state = models.CharField(max_length=16, choices=ReexecutionState.choices, default=ReexecutionState.QUEUED)
    detail = models.TextField(blank=True, default="")
    outputs = models.JSONField(null=True)
    probabilities = models.JSONField(null=True)
    difference = models.JSONField(null=True)
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"re-execution of {self.prediction_id.hex}"


class ReceiptKey(models.Model):
    """The public half of a key that signed receipts, and goes on being published when another has taken its place."""

    key_id = models.CharField(primary_key=True, max_length=16)
    public_key = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.key_id

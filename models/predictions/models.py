"""Tables: predictions, what is counted of them by the minute, and how far each segment of a spool has been shipped."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


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

    `count` are requests, `rows` their records, `errors` the requests that the model failed. `latency` counts the
    requests by `histogram.BOUNDS_MS`, `latency_sum_ms` adds their latencies. Retention leaves buckets alone: they hold
    no values.
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

    def __str__(self) -> str:
        return f"{self.endpoint_id} {self.minute}"


class SpoolPosition(models.Model):
    """Up to which byte a segment's records are in the table. `head` are its first bytes, so that another segment under
    the same name is not taken for it."""

    segment = models.CharField(primary_key=True, max_length=120)
    head = models.CharField(max_length=32, blank=True, default="")
    offset = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.segment}: {self.offset}"

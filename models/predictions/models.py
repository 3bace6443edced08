"""Tables: predictions, and how far each segment of a spool has been shipped."""

from __future__ import annotations

from django.db import models


class Prediction(models.Model):
    """One answered request, as the gateway recorded it before it answered.

    No foreign keys: names are kept as they were. `inputs` and `outputs` have one item per record of the request. The
    id is the gateway's, time-ordered.
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

    class Meta:
        indexes = [
            models.Index(fields=["endpoint_id", "-id"], name="prediction_of_endpoint"),
            models.Index(fields=["deployment_id", "-id"], name="prediction_of_deployment"),
        ]

    def __str__(self) -> str:
        return self.id.hex


class SpoolPosition(models.Model):
    """Up to which byte a segment's records are in the table. `head` are its first bytes, so that another segment under
    the same name is not taken for it."""

    segment = models.CharField(primary_key=True, max_length=120)
    head = models.CharField(max_length=32, blank=True, default="")
    offset = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.segment}: {self.offset}"

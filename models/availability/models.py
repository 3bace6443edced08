"""Tables: what gateways counted, alerts of endpoints that use up their error budget too fast, what was last known of
the load of endpoints."""

from __future__ import annotations

from django.db import models

from models.availability.states import AlertState
from models.endpoints.models import Endpoint
from modelwright.core.models import BaseModel


class AvailabilityMinute(models.Model):
    """What one process of a gateway, `source`, counted of an endpoint within a minute, as it told it last. What is old
    is what all of them counted within an hour, and has no source.

    No foreign key: a gateway may have counted for what is gone by now. `refused` were turned away for want of room
    (429), `failed` are 5xx; both should have been answered.
    """

    pk = models.CompositePrimaryKey("endpoint_id", "minute", "source")
    endpoint_id = models.UUIDField()
    minute = models.DateTimeField()
    source = models.CharField(max_length=100)
    answered = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["minute"], name="availability_minute")]

    def __str__(self) -> str:
        return f"{self.endpoint_id} {self.minute}"


class AvailabilityAlert(BaseModel):
    """The endpoint uses up its error budget too fast. One is open per endpoint and rule (`burning.RULES`) at most.

    `target` is in percent, as it was; the burn rates are those of the rule's long and short window when it opened.
    """

    class Severity(models.TextChoices):
        """How soon a person should look."""

        PAGE = "page", "Now"
        TICKET = "ticket", "This week"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="availability_alerts")
    rule = models.CharField(max_length=16)
    severity = models.CharField(max_length=16, choices=Severity.choices)
    state = models.CharField(max_length=16, choices=AlertState.choices, default=AlertState.OPEN)
    target = models.FloatField()
    long_burn = models.FloatField()
    short_burn = models.FloatField()
    requests = models.BigIntegerField()
    lost = models.BigIntegerField()
    detail = models.TextField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "rule"], condition=models.Q(state="open"), name="availability_alert_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} of {self.endpoint_id}"


class Load(models.Model):
    """What the gateway said last of an endpoint's load, and the number of replicas that this speaks for.

    `concurrency` is how many requests were under way on average, `queue_ms` how long the first request of a frame
    waited, None where none came; `refused` are requests turned away for want of room, since the look before.
    """

    endpoint = models.OneToOneField(Endpoint, primary_key=True, on_delete=models.CASCADE, related_name="load")
    at = models.DateTimeField()
    concurrency = models.FloatField(default=0.0)
    queue_ms = models.FloatField(null=True)
    refused = models.BigIntegerField(default=0)
    recommended = models.PositiveSmallIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.endpoint_id}: {self.concurrency:.1f}"

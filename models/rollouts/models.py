"""Tables: rollouts, and what happened in each."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from models.endpoints.models import Deployment, Endpoint
from models.registry.models import ModelVersion
from models.rollouts.states import OPEN, RolloutState
from modelwright.core.models import BaseModel


class Rollout(BaseModel):
    """A plan that brings a version to an endpoint by one deployment after the other. Only `transitions.py` writes
    `state`.

    `before` is what served when it began, and what a stop goes back to. `deployment` is the newest that it asked for.
    `steps` and `conditions` are as `plan.Step` and `conditions.Conditions` read them; `step` counts them from 0 and is
    their number once the last one is over. `looks` and `looked_at` say how often the conditions were tested in this
    step, and at how many requests the last time.
    """

    class Strategy(models.TextChoices):
        """How the version comes to answer."""

        CANARY = "canary", "Canary"
        BLUE_GREEN = "blue_green", "Blue/green"
        SHADOW = "shadow", "Shadow"
        AB = "ab", "A/B test"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="rollouts")
    number = models.PositiveIntegerField()
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="rollouts")
    base_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    strategy = models.CharField(max_length=16, choices=Strategy.choices)
    steps = models.JSONField()
    conditions = models.JSONField()
    assign = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=RolloutState.choices, default=RolloutState.PENDING)
    # What it waits for, or why it ended.
    detail = models.TextField(blank=True, default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=100)
    reason = models.TextField(blank=True, default="")
    before = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.PROTECT, related_name="+")
    # The replicas of blue/green answered as they should.
    is_proved = models.BooleanField(default=False)
    step = models.PositiveSmallIntegerField(default=0)
    step_began_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    looks = models.PositiveIntegerField(default=0)
    looked_at = models.PositiveBigIntegerField(default=0)
    # The newest figures and findings, and those that it ended with.
    evidence = models.JSONField(default=dict, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "number"], name="rollout_number"),
            models.UniqueConstraint(
                fields=["endpoint"], condition=models.Q(state__in=OPEN), name="rollout_one_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"rollout {self.number} of {self.endpoint.path}"


class RolloutEvent(BaseModel):
    """Something that happened in a rollout, and on what figures it was decided. Written once."""

    class Kind(models.TextChoices):
        """What happened."""

        STARTED = "started", "Started"
        SMOKE_TESTED = "smoke-tested", "Asked before anybody else"
        STEP = "step", "Step"
        PAUSED = "paused", "Paused"
        RESUMED = "resumed", "Resumed"
        PROMOTED = "promoted", "Promoted"
        COMPLETED = "completed", "Completed"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    actor_name = models.CharField(max_length=100)
    detail = models.TextField(blank=True, default="")
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.PROTECT, related_name="+")
    evidence = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"{self.rollout} {self.kind}"

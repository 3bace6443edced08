"""REST forms of an endpoint's availability."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from models.availability.models import AvailabilityAlert


class CountsSerializer(serializers.Serializer[Any]):
    """Requests for predictions; those that are the client's own fault (4xx but 429) are none."""

    requests = serializers.IntegerField(help_text="Those that should have been answered.")
    answered = serializers.IntegerField()
    refused = serializers.IntegerField(help_text="Turned away for want of room (429).")
    failed = serializers.IntegerField(help_text="Answered with 5xx.")


class BurnSerializer(serializers.Serializer[Any]):
    """How fast the budget is used up; 1 uses all of it in 30 days."""

    rule = serializers.CharField(source="rule.name")
    severity = serializers.CharField(source="rule.severity")
    threshold = serializers.FloatField(help_text="Both rates from here on are an alert.")
    long_seconds = serializers.FloatField()
    short_seconds = serializers.FloatField()
    long_rate = serializers.FloatField(source="long")
    short_rate = serializers.FloatField(source="short")


class LoadSerializer(serializers.Serializer[Any]):
    """The load as the gateway told it last."""

    at = serializers.DateTimeField()
    concurrency = serializers.FloatField(help_text="Requests under way on average.")
    queue_ms = serializers.FloatField(allow_null=True, help_text="Milliseconds that the first of a frame waited.")
    refused = serializers.IntegerField()
    recommended = serializers.IntegerField(help_text="Replicas that this load alone speaks for.")


class VersionReplicasSerializer(serializers.Serializer[Any]):
    """The replicas of a version that run or are about to."""

    model_version = serializers.UUIDField(source="version_id")
    version = serializers.CharField()
    running = serializers.IntegerField()
    healthy = serializers.IntegerField()
    hosts = serializers.IntegerField(help_text="On how many hosts the healthy ones are.")


class AvailabilityAlertSerializer(serializers.ModelSerializer[AvailabilityAlert]):
    """The endpoint used up its error budget too fast."""

    class Meta:
        model = AvailabilityAlert
        fields = [
            *("id", "rule", "severity", "state", "target", "long_burn", "short_burn", "requests", "lost"),
            *("detail", "created_at", "ended_at"),
        ]
        read_only_fields = fields


class AvailabilitySerializer(serializers.Serializer[Any]):
    """How an endpoint stands over the last 30 days, as gateways counted it."""

    target = serializers.FloatField(allow_null=True, help_text="Percent; null where nothing is promised.")
    availability = serializers.FloatField(allow_null=True, help_text="Percent; null without requests.")
    counts = CountsSerializer()
    budget_left = serializers.FloatField(allow_null=True, help_text="1: all of the error budget; below 0: overdrawn.")
    requests_left = serializers.IntegerField(allow_null=True, help_text="How many more may fail.")
    burns = BurnSerializer(many=True)
    counted_until = serializers.DateTimeField(allow_null=True)
    load = LoadSerializer(allow_null=True)
    alerts = AvailabilityAlertSerializer(many=True, help_text="Those that are open.")
    wanted_replicas = serializers.IntegerField()
    replicas = VersionReplicasSerializer(many=True)

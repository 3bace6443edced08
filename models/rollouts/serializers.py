"""REST forms of rollouts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from models.rollouts.conditions import Conditions
from models.rollouts.models import Rollout, RolloutEvent
from models.rollouts.plan import LONGEST_MINUTES, MOST_REQUESTS, MOST_STEPS, Strategy

_USUAL = Conditions()


@extend_schema_serializer(component_name="RolloutStep")
class StepSerializer(serializers.Serializer[Any]):
    """A step: it is over once its minutes have passed and the candidate got its requests."""

    weight = serializers.IntegerField(min_value=0, max_value=100, help_text="Percent of the requests.")
    minutes = serializers.FloatField(min_value=0, max_value=LONGEST_MINUTES, required=False)
    requests = serializers.IntegerField(min_value=0, max_value=MOST_REQUESTS, required=False)


class ConditionsSerializer(serializers.Serializer[Any]):
    """What must hold; null where it is not watched."""

    min_requests = serializers.IntegerField(required=False, help_text=f"{_USUAL.min_requests} if left out.")
    confidence = serializers.FloatField(required=False, help_text=f"{_USUAL.confidence} if left out.")
    max_error_rate = serializers.FloatField(required=False, allow_null=True, help_text="From 0 to 1.")
    no_more_errors_than_base = serializers.BooleanField(required=False)
    max_p99_ratio = serializers.FloatField(
        required=False, allow_null=True, help_text="99th percentile of the latency, in times of the base's."
    )
    max_answer_shift = serializers.FloatField(
        required=False, allow_null=True, help_text="Of the share of each answer against the base's, from 0 to 1."
    )
    max_fallback_rate = serializers.FloatField(required=False, allow_null=True, help_text="From 0 to 1.")
    max_replica_deaths = serializers.IntegerField(required=False, allow_null=True)


class AssignSerializer(serializers.Serializer[Any]):
    """By what units are told apart; each meets the same version as long as weights stay."""

    by = serializers.ChoiceField(choices=["header", "column"])
    name = serializers.CharField(max_length=200)
    salt = serializers.CharField(required=False, allow_blank=True, max_length=200)


class RolloutCreateSerializer(serializers.Serializer[Rollout]):
    """A rollout to start. What is left out is as usual for its strategy."""

    model_version = serializers.UUIDField()
    strategy = serializers.ChoiceField(choices=[each.value for each in Strategy], required=False, default="canary")
    steps: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=StepSerializer(), required=False, max_length=MOST_STEPS
    )
    conditions = ConditionsSerializer(required=False)
    assign = AssignSerializer(required=False, allow_null=True)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class RolloutSerializer(serializers.ModelSerializer[Rollout]):
    """A rollout and where it stands. `step` counts from 0 and is the number of steps once the last one is over."""

    model = serializers.CharField(source="model_version.model.name", read_only=True)
    version = serializers.IntegerField(source="model_version.number", read_only=True)
    base_model_version = serializers.UUIDField(source="base_version_id", read_only=True)
    before = serializers.IntegerField(source="before.number", read_only=True)
    deployment = serializers.IntegerField(source="deployment.number", default=None, read_only=True, allow_null=True)
    steps = StepSerializer(many=True, read_only=True)
    conditions = ConditionsSerializer(read_only=True)
    assign = AssignSerializer(read_only=True, allow_null=True)
    evidence = serializers.JSONField(read_only=True)

    class Meta:
        model = Rollout
        fields = [
            *("id", "endpoint", "number", "strategy", "state", "detail", "reason", "actor_name"),
            *("model_version", "model", "version", "base_model_version", "before", "deployment"),
            *("steps", "step", "step_began_at", "paused_at", "conditions", "assign", "evidence"),
            *("created_at", "ended_at"),
        ]
        read_only_fields = fields


class RolloutEventSerializer(serializers.ModelSerializer[RolloutEvent]):
    """Something that happened in a rollout."""

    deployment = serializers.IntegerField(source="deployment.number", default=None, read_only=True, allow_null=True)
    evidence = serializers.JSONField(read_only=True)

    class Meta:
        model = RolloutEvent
        fields = ["id", "kind", "actor_name", "detail", "deployment", "evidence", "created_at"]
        read_only_fields = fields


class ReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=1000)


class PauseSerializer(serializers.Serializer[Any]):
    """Why, if you like."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class IntervalSerializer(serializers.Serializer[Any]):
    """An estimate with its 95 % interval."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class VariantSerializer(serializers.Serializer[Any]):
    """What one version did in the rollout."""

    model_version = serializers.UUIDField(source="version.pk")
    is_candidate = serializers.BooleanField()
    requests = serializers.IntegerField(source="figures.requests")
    errors = serializers.IntegerField(source="figures.errors")  # type: ignore[assignment]  # as an API calls them
    fallbacks = serializers.IntegerField(source="figures.fallbacks")
    p50_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)
    answers = serializers.DictField(source="figures.answers", child=serializers.IntegerField())
    known = serializers.IntegerField(help_text="Records whose truth is known.")
    right = IntervalSerializer(allow_null=True, help_text="The share of them that it answered right.")


class PairsSerializer(serializers.Serializer[Any]):
    """What a shadow answered beside what clients got."""

    requests = serializers.IntegerField()
    different = serializers.IntegerField()
    failed = serializers.IntegerField()
    slower_ms = serializers.FloatField(allow_null=True)
    share = IntervalSerializer(allow_null=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    """Candidate and base over the whole rollout."""

    candidate = VariantSerializer()
    base = VariantSerializer()
    better = IntervalSerializer(allow_null=True, help_text="How much more often the candidate was right.")
    pairs = PairsSerializer(allow_null=True, help_text="Of a shadow.")

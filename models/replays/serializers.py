"""REST forms of replays and drills."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from models.replays.models import (
    MOST_REQUESTS,
    USUAL_REQUESTS,
    Drill,
    DrillAlert,
    DrillPolicy,
    GoldenRequest,
    Replay,
    ReplayChange,
    ReplayPolicy,
)
from models.replays.policies import DRILL_FIELDS, MOST_COLUMNS, REPLAY_FIELDS


class ReplaySerializer(serializers.ModelSerializer[Replay]):
    """A replay: the newest requests of an endpoint, asked of a candidate. `broken` means that it came to no result."""

    candidate_name = serializers.CharField(source="candidate.__str__", read_only=True)
    base_name = serializers.CharField(source="base.__str__", default="", read_only=True)
    reasons = serializers.ListField(child=serializers.CharField(), read_only=True)
    thresholds = serializers.DictField(read_only=True)
    selection = serializers.DictField(read_only=True)
    waiting_reason = serializers.CharField(source="workload.waiting_reason", read_only=True)

    class Meta:
        model = Replay
        fields = [
            *("id", "created_at", "endpoint", "candidate", "candidate_name", "base", "base_name", "served_by"),
            *("state", "detail", "reasons", "thresholds", "selection", "waiting_reason"),
            *("requested_by", "finished_at"),
        ]
        read_only_fields = fields


class ReplayDetailSerializer(ReplaySerializer):
    """A replay with its report: flips, errors, segments, truth, latency, each with its interval."""

    report = serializers.DictField(read_only=True)

    class Meta(ReplaySerializer.Meta):
        fields = [*ReplaySerializer.Meta.fields, "report"]
        read_only_fields = fields


class ReplayCancellationSerializer(serializers.Serializer[Replay]):
    """Why, if you like."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)


class ReplayCreateSerializer(serializers.Serializer[Replay]):
    """A replay to start."""

    model_version = serializers.UUIDField(help_text="The candidate.")
    requests = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_REQUESTS, help_text=f"{USUAL_REQUESTS} if left out."
    )


class ReplayChangeSerializer(serializers.ModelSerializer[ReplayChange]):
    """A record that the candidate answers otherwise, or cannot answer."""

    before = serializers.JSONField(read_only=True, allow_null=True)
    after = serializers.JSONField(read_only=True, allow_null=True)
    truth = serializers.JSONField(read_only=True, allow_null=True)
    verdict = serializers.CharField(
        read_only=True, help_text="`better`, `worse` or `neither`; empty where the truth is not known."
    )
    segments = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ReplayChange
        fields = [
            *("id", "prediction_id", "record", "before", "after", "score_before", "score_after"),
            *("truth", "verdict", "error", "segments"),
        ]
        read_only_fields = fields


class ReplayPolicySerializer(serializers.ModelSerializer[ReplayPolicy]):
    """What a replay must come to, to pass. Shares are from 0 to 1; null is not judged."""

    segment_columns = serializers.ListField(
        child=serializers.CharField(max_length=500, allow_blank=True), required=False, max_length=MOST_COLUMNS
    )

    class Meta:
        model = ReplayPolicy
        fields = list(REPLAY_FIELDS)


class DrillSerializer(serializers.ModelSerializer[Drill]):
    """A proof that a version can be gone back to. Seconds are null before."""

    version_name = serializers.CharField(source="model_version.__str__", read_only=True)
    deployment_number = serializers.IntegerField(source="deployment.number", read_only=True)
    examples = serializers.ListField(child=serializers.DictField(), read_only=True)
    queue_seconds = serializers.FloatField(read_only=True, allow_null=True)
    start_seconds = serializers.FloatField(read_only=True, allow_null=True)
    answer_seconds = serializers.FloatField(read_only=True, allow_null=True)
    total_seconds = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = Drill
        fields = [
            *("id", "created_at", "endpoint", "deployment", "deployment_number", "model_version", "version_name"),
            *("trigger", "requested_by", "state", "detail", "max_seconds"),
            *("golden", "asked", "compared", "differing", "examples"),
            *("queue_seconds", "start_seconds", "answer_seconds", "total_seconds", "finished_at"),
        ]
        read_only_fields = fields


class StartedDrillsSerializer(serializers.Serializer[Any]):
    """The drills that began: one for each version that a rollback would go back to."""

    results = DrillSerializer(many=True)


class DrillPolicySerializer(serializers.ModelSerializer[DrillPolicy]):
    """When an endpoint's way back is proved. `next_at` is when that is due; `note` why the last time began nothing."""

    schedule = serializers.CharField(
        required=False, allow_blank=True, max_length=100, help_text="Five cron fields in UTC, empty for by hand alone."
    )

    class Meta:
        model = DrillPolicy
        fields = [*DRILL_FIELDS, "next_at", "note"]
        read_only_fields = ["next_at", "note"]


class GoldenRequestSerializer(serializers.ModelSerializer[GoldenRequest]):
    """A prediction on record that is asked in each drill of its version."""

    class Meta:
        model = GoldenRequest
        fields = ["id", "created_at", "endpoint", "prediction_id", "model_version", "note", "pinned_by"]
        read_only_fields = fields


class GoldenRequestCreateSerializer(serializers.Serializer[GoldenRequest]):
    """A prediction to pin."""

    prediction_id = serializers.UUIDField()
    note = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")


class DrillAlertSerializer(serializers.ModelSerializer[DrillAlert]):
    """A drill failed, and none has passed since where `ended_at` is null."""

    class Meta:
        model = DrillAlert
        fields = ["id", "created_at", "endpoint", "drill", "detail", "acknowledged_at", "acknowledged_by", "ended_at"]
        read_only_fields = fields

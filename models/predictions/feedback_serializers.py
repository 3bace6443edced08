"""REST forms of feedback."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from models.predictions.models import Feedback


class FeedbackSerializer(serializers.ModelSerializer[Feedback]):
    """What was said to be true. `matched`: its prediction is on record. `problem`: why it does not count."""

    prediction_id = serializers.UUIDField(read_only=True, allow_null=True)
    truth = serializers.JSONField(read_only=True)
    response = serializers.JSONField(read_only=True, allow_null=True)
    matched = serializers.BooleanField(read_only=True)

    class Meta:
        model = Feedback
        fields = [
            *("id", "created_at", "prediction_id", "record", "truth", "response", "happened_at", "known_at"),
            *("source", "created_by", "matched", "problem"),
        ]
        read_only_fields = fields


class FeedbackItemSerializer(serializers.Serializer[Any]):
    """Truth for record `record` (from 0) of a prediction, or for `response`. Known now, unless `known_at` says when."""

    prediction_id = serializers.UUIDField(required=False)
    response = serializers.JSONField(required=False)
    truth = serializers.JSONField()
    record = serializers.IntegerField(required=False, min_value=0)
    happened_at = serializers.DateTimeField(required=False)
    known_at = serializers.DateTimeField(required=False)


class FeedbackBatchSerializer(serializers.Serializer[Any]):
    """Pieces of feedback, stored all or none."""

    feedback = FeedbackItemSerializer(many=True)


class FeedbackBodySerializer(serializers.Serializer[Any]):
    """The same, read one by one, so that each that is wrong is named."""

    feedback = serializers.ListField(child=serializers.JSONField(allow_null=True))


class TruthSerializer(serializers.Serializer[Any]):
    """Truth for one record of the prediction. Known now, unless `known_at` says when."""

    truth = serializers.JSONField()
    record = serializers.IntegerField(required=False, min_value=0)
    happened_at = serializers.DateTimeField(required=False)
    known_at = serializers.DateTimeField(required=False)


class TruthBodySerializer(serializers.Serializer[Any]):
    """The same, whose values are read as those of the other ways in."""

    truth = serializers.JSONField()
    record = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    happened_at = serializers.CharField(required=False, max_length=40)
    known_at = serializers.CharField(required=False, max_length=40)


class FeedbackGivenSerializer(serializers.Serializer[Any]):
    """What was stored, and of how many the prediction is not on record (yet, or any more)."""

    stored = serializers.IntegerField()
    unmatched = serializers.IntegerField()
    feedback_ids = serializers.ListField(child=serializers.UUIDField())


class CoverageSerializer(serializers.Serializer[Any]):
    """Of how many answered records the truth is known. `share` is null where nothing was answered."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    records = serializers.IntegerField()
    with_truth = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)

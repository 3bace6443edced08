"""REST forms of predictions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from models.predictions.models import Prediction
from models.registry.serializers import NodeSerializer


class PredictionErrorSerializer(serializers.Serializer[Any]):
    """What happened where the model failed."""

    code = serializers.CharField()
    message = serializers.CharField()


class AssignmentSerializer(serializers.Serializer[Any]):
    """How the version came to be asked. `unit` is a digest; `instead_of` is what a fallback answered for."""

    by = serializers.ChoiceField(choices=("weight", "unit", "header", "key", "path"))
    unit = serializers.CharField(required=False)
    away_from = serializers.UUIDField(required=False, help_text="The unit's version, which was not available.")
    instead_of = serializers.UUIDField(required=False)
    in_role = serializers.CharField(required=False)


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    """A prediction as it was answered. `inputs` and `outputs` have one item per record of the request."""

    inputs = serializers.ListField(child=serializers.JSONField(), read_only=True)
    outputs = serializers.ListField(child=serializers.JSONField(), read_only=True)
    probabilities = serializers.ListField(child=serializers.JSONField(), read_only=True, allow_null=True)
    error = PredictionErrorSerializer(read_only=True, allow_null=True)
    assignment = AssignmentSerializer(read_only=True, allow_null=True)
    nodes = serializers.ListField(child=serializers.JSONField(), read_only=True, allow_null=True)

    class Meta:
        model = Prediction
        fields = [
            *("id", "at", "endpoint_id", "endpoint_name", "deployment_id", "deployment_number"),
            *("model_version_id", "model_name", "version_number", "key_id", "key_name"),
            *("inputs", "outputs", "probabilities", "latency_ms"),
            *("protocol", "served_by", "status", "error", "trace_id", "rows"),
            *("role", "assignment", "shadow_of", "fallback", "nodes"),
        ]
        read_only_fields = fields


class ProvenanceVersionSerializer(serializers.Serializer[Any]):
    """The exact version that answered."""

    id = serializers.UUIDField()
    model = serializers.CharField(source="model.name")
    number = serializers.IntegerField()
    artifact_digest = serializers.CharField()
    manifest_digest = serializers.CharField()
    algorithm_name = serializers.CharField()


class ProvenanceRunSerializer(serializers.Serializer[Any]):
    """The run that trained it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    number = serializers.IntegerField()
    commit = serializers.CharField()


class PredictionDetailSerializer(PredictionSerializer):
    """A prediction with what it came from: the version, the run that trained it, the data that the run read."""

    version = ProvenanceVersionSerializer(allow_null=True, read_only=True)
    run = ProvenanceRunSerializer(allow_null=True, read_only=True)
    training_data = NodeSerializer(many=True, read_only=True)

    class Meta(PredictionSerializer.Meta):
        fields = [*PredictionSerializer.Meta.fields, "version", "run", "training_data"]
        read_only_fields = fields

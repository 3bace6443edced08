"""REST forms of endpoints, deployments and keys."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from models.endpoints.changing import LONGEST_RETENTION_DAYS, MAX_COLUMN_NAME, MAX_COLUMNS
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint, EndpointKey


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    """An endpoint."""

    project_name = serializers.CharField(source="project.name", read_only=True)
    workspace_name = serializers.CharField(source="workspace.name", read_only=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = [
            *("id", "name", "description", "project", "project_name", "workspace", "workspace_name"),
            *("state", "url", "created_at"),
        ]
        read_only_fields = fields

    def get_url(self, endpoint: Endpoint) -> str:
        """Where clients post to."""
        return f"{settings.GATEWAY_URL}/{endpoint.path}/predict"


class EndpointCreateSerializer(serializers.Serializer[Endpoint]):
    """An endpoint to make."""

    name = serializers.CharField(max_length=63)
    description = serializers.CharField(required=False, allow_blank=True, default="", max_length=5000)


class TargetSerializer(serializers.ModelSerializer[DeploymentTarget]):
    """One version of a deployment."""

    model = serializers.CharField(source="model_version.model.name", read_only=True)
    version = serializers.IntegerField(source="model_version.number", read_only=True)

    class Meta:
        model = DeploymentTarget
        fields = ["model_version", "model", "version", "weight", "role"]
        read_only_fields = fields


class DeploymentSerializer(serializers.ModelSerializer[Deployment]):
    """A deployment of an endpoint."""

    targets = TargetSerializer(many=True, read_only=True)
    repeats = serializers.IntegerField(source="repeats.number", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Deployment
        fields = [
            *("id", "endpoint", "number", "kind", "repeats", "targets", "actor_name", "reason"),
            *("state", "detail", "created_at", "live_at", "ended_at"),
        ]
        read_only_fields = fields


class AnsweringSerializer(serializers.Serializer[Any]):
    """By which path a version answers, and why."""

    model_version = serializers.UUIDField(source="version.pk")
    served_by = serializers.CharField(help_text="`original` or `onnx:<digest>`; empty while nothing answers.")
    wanted = serializers.CharField(source="path.served_by", help_text="The path that it should answer by.")
    why = serializers.CharField(source="path.why")


class EndpointDetailSerializer(EndpointSerializer):
    """An endpoint with what serves now and what is on its way."""

    live = DeploymentSerializer(read_only=True, allow_null=True)
    under_way = DeploymentSerializer(read_only=True, allow_null=True)
    answering = AnsweringSerializer(many=True, read_only=True)
    redacted_columns = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(EndpointSerializer.Meta):
        fields = [
            *(*EndpointSerializer.Meta.fields, "live", "under_way"),
            *("serving_path", "answering", "retention_days", "redacted_columns"),
        ]
        read_only_fields = fields


class EndpointChangeSerializer(serializers.Serializer[Endpoint]):
    """What may be changed of an endpoint; what is left out stays."""

    description = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    serving_path = serializers.ChoiceField(Endpoint.ServingPath.choices, required=False)
    retention_days = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=LONGEST_RETENTION_DAYS,
        help_text="How many days predictions are kept; null for the installation's default.",
    )
    redacted_columns = serializers.ListField(
        child=serializers.CharField(max_length=MAX_COLUMN_NAME, allow_blank=True, trim_whitespace=False),
        required=False,
        max_length=MAX_COLUMNS,
        help_text="Input columns whose values are replaced by keyed digests before they are recorded.",
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000)


class DeploymentCreateSerializer(serializers.Serializer[Deployment]):
    """A version to serve."""

    model_version = serializers.UUIDField()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class RollbackSerializer(serializers.Serializer[Deployment]):
    """What to go back to, and why."""

    reason = serializers.CharField(max_length=1000)
    deployment = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="The one before what serves now, if left out."
    )


class StopSerializer(serializers.Serializer[Endpoint]):
    """Why an endpoint is stopped."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class KeySerializer(serializers.ModelSerializer[EndpointKey]):
    """A key without its text."""

    class Meta:
        model = EndpointKey
        fields = ["id", "name", "hint", "created_by", "created_at", "revoked_at"]
        read_only_fields = fields


class KeyCreateSerializer(serializers.Serializer[EndpointKey]):
    """A key to make."""

    name = serializers.CharField(max_length=100, help_text="The client that will use it.")


class NewKeySerializer(KeySerializer):
    """A new key with its text, which is shown this once."""

    key = serializers.CharField(read_only=True)

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "key"]
        read_only_fields = fields


class ReplicaSerializer(serializers.Serializer[Any]):
    """A model server of an endpoint."""

    id = serializers.UUIDField()
    model_version = serializers.UUIDField(source="model_version_id")
    state = serializers.CharField(source="workload.state")
    served_by = serializers.CharField(help_text="`original` or `onnx:<digest of the compiled model>`.")
    healthy_at = serializers.DateTimeField(allow_null=True)
    waiting_reason = serializers.CharField(source="workload.waiting_reason")


class ReplicaListSerializer(serializers.Serializer[Any]):
    """The replicas that run or are about to."""

    results = ReplicaSerializer(many=True)

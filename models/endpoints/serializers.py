"""REST forms of endpoints, deployments and keys."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from models.endpoints.changing import LONGEST_RETENTION_DAYS, MAX_COLUMN_NAME, MAX_COLUMNS
from models.endpoints.deploying import MAX_TARGETS, MAX_WEIGHT
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint, EndpointKey
from models.endpoints.scaling import MOST_REPLICAS


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    """An endpoint."""

    project_name = serializers.CharField(source="project.name", read_only=True)
    workspace_name = serializers.CharField(source="workspace.name", read_only=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = [
            *("id", "name", "description", "project", "project_name", "workspace", "workspace_name"),
            *("state", "stage", "url", "created_at"),
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
    routing = serializers.JSONField(read_only=True)
    fallback = serializers.JSONField(read_only=True, allow_null=True)
    graph = serializers.JSONField(read_only=True, allow_null=True)
    evidence = serializers.JSONField(read_only=True, help_text="What it was decided on.")

    class Meta:
        model = Deployment
        fields = [
            *("id", "endpoint", "number", "kind", "repeats", "targets", "routing", "fallback", "graph"),
            *("actor_name", "reason", "evidence", "rollout_id", "is_emergency"),
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
    labels = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta(EndpointSerializer.Meta):
        fields = [
            *(*EndpointSerializer.Meta.fields, "live", "under_way"),
            *("serving_path", "answering", "retention_days", "redacted_columns"),
            *("profile", "cpu", "memory_bytes", "gpus", "labels"),
            *("min_replicas", "max_replicas", "wanted_replicas", "target_concurrency", "target_queue_ms"),
            "availability_target",
        ]
        read_only_fields = fields


class EndpointChangeSerializer(serializers.Serializer[Endpoint]):
    """What may be changed of an endpoint; what is left out stays."""

    description = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    stage = serializers.ChoiceField(
        Endpoint.Stage.choices,
        required=False,
        help_text="Higher only while what serves is approved for it; from production down takes a reason.",
    )
    serving_path = serializers.ChoiceField(Endpoint.ServingPath.choices, required=False)
    profile = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=63,
        help_text="The size of each replica that starts from now on, GPUs included; empty: the usual one.",
    )
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
    min_replicas = serializers.IntegerField(required=False, min_value=1, max_value=MOST_REPLICAS)
    max_replicas = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_REPLICAS,
        help_text="More than `min_replicas`: their number follows the load.",
    )
    target_concurrency = serializers.FloatField(
        required=False, help_text="Requests in flight of each replica above which another one is wanted."
    )
    target_queue_ms = serializers.FloatField(
        required=False, help_text="Milliseconds in the queue above which another replica is wanted."
    )
    availability_target = serializers.FloatField(
        required=False, allow_null=True, help_text="Percent of requests that are to be answered; null: no promise."
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000)


class TargetCreateSerializer(serializers.Serializer[DeploymentTarget]):
    """One of several versions to serve. `weight` counts for the roles `live` and `canary`."""

    model_version = serializers.UUIDField()
    weight = serializers.IntegerField(required=False, default=100, min_value=0, max_value=MAX_WEIGHT)
    role = serializers.ChoiceField(DeploymentTarget.Role.choices, required=False, default=DeploymentTarget.Role.LIVE)


class DeploymentCreateSerializer(serializers.Serializer[Deployment]):
    """A version to serve, with the fallback of the project's file; or exactly these `targets`, with a routing and a
    fallback of their own."""

    model_version = serializers.UUIDField(required=False, allow_null=True, default=None)
    targets: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=TargetCreateSerializer(), required=False, max_length=MAX_TARGETS
    )
    routing = serializers.DictField(required=False, help_text="See docs/rollouts.md; only beside `targets`.")
    fallback = serializers.DictField(
        required=False, allow_null=True, default=None, help_text="See docs/rollouts.md; only beside `targets`."
    )
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class RollbackSerializer(serializers.Serializer[Deployment]):
    """What to go back to, and why."""

    reason = serializers.CharField(max_length=1000)
    deployment = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="The one before what serves now, if left out."
    )
    emergency = serializers.BooleanField(
        required=False, default=False, help_text="It needs neither checks nor a second person; the audit log says so."
    )


class RollbackChoiceSerializer(serializers.Serializer[Any]):
    """An earlier deployment, and how long it would take until it serves."""

    deployment = DeploymentSerializer()
    is_warm = serializers.BooleanField(help_text="Whether it would serve at once.")
    seconds = serializers.FloatField(allow_null=True, help_text="Null where nothing like it was ever started here.")
    words = serializers.CharField()
    details = serializers.ListField(child=serializers.CharField(), help_text="What the seconds were taken from.")


class RollbackChoiceListSerializer(serializers.Serializer[Any]):
    """What one may go back to."""

    results = RollbackChoiceSerializer(many=True)


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
    silent_since = serializers.DateTimeField(
        allow_null=True, help_text="Since when one that has answered does so no more."
    )
    waiting_reason = serializers.CharField(source="workload.waiting_reason")


class ReplicaListSerializer(serializers.Serializer[Any]):
    """The replicas that run or are about to."""

    results = ReplicaSerializer(many=True)

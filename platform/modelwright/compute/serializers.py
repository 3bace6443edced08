"""REST forms of hosts, profiles and environments."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelwright.compute.models import Environment, Host, ResourceProfile
from modelwright.compute.rooms import Room, free_room


class RoomSerializer(serializers.Serializer[Room]):
    """CPU and memory that no workload has reserved."""

    cpu = serializers.FloatField()
    memory_bytes = serializers.IntegerField()


class HostSerializer(serializers.ModelSerializer[Host]):
    """A machine that runs workloads, and what of it is free."""

    free = serializers.SerializerMethodField()
    live_workloads = serializers.IntegerField(source="live", read_only=True)

    class Meta:
        model = Host
        fields = [
            "id",
            "name",
            "state",
            "cpu",
            "memory_bytes",
            "free",
            "live_workloads",
            "labels",
            "heartbeat_at",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field(RoomSerializer)
    def get_free(self, host: Host) -> dict[str, float]:
        """What of the host is free."""
        room = free_room(host)
        return {"cpu": room.cpu, "memory_bytes": room.memory_bytes}


class ProfileSerializer(serializers.ModelSerializer[ResourceProfile]):
    """A size to ask for."""

    class Meta:
        model = ResourceProfile
        fields = ["id", "name", "description", "cpu", "memory_bytes"]
        read_only_fields = fields


class EnvironmentSerializer(serializers.ModelSerializer[Environment]):
    """Locked dependencies."""

    uses = serializers.IntegerField(read_only=True)

    class Meta:
        model = Environment
        fields = ["id", "lock_digest", "python_version", "state", "size_bytes", "uses", "created_at"]
        read_only_fields = fields


class EnvironmentDetailSerializer(EnvironmentSerializer):
    """Locked dependencies with the lock."""

    class Meta(EnvironmentSerializer.Meta):
        fields = [*EnvironmentSerializer.Meta.fields, "lock"]
        read_only_fields = fields

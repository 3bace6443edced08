"""REST forms of hosts, profiles and environments."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelwright.compute.models import Environment, Host, ResourceProfile
from modelwright.compute.rooms import Room, free_room
from modelwright.compute.services.profiles import (
    LEAST_CPU,
    LEAST_MEMORY_BYTES,
    MOST_CPU,
    MOST_GPUS,
    MOST_MEMORY_BYTES,
)


class RoomSerializer(serializers.Serializer[Room]):
    """CPU, memory and GPUs that no workload has reserved."""

    cpu = serializers.FloatField()
    memory_bytes = serializers.IntegerField()
    gpus = serializers.ListField(child=serializers.IntegerField(), help_text="Indexes of the GPUs.")


class GpuSerializer(serializers.Serializer[dict[str, object]]):
    """A GPU of a host."""

    index = serializers.IntegerField()
    uuid = serializers.CharField()
    name = serializers.CharField()
    memory_bytes = serializers.IntegerField()
    mig = serializers.BooleanField()
    problem = serializers.CharField(help_text="Why it is given to nobody; empty for a GPU that can be used.")


class MachineSerializer(serializers.Serializer[dict[str, object]]):
    """A machine of a host that is a swarm."""

    id = serializers.CharField(help_text="What the swarm knows it by.")
    name = serializers.CharField()
    cpu = serializers.FloatField()
    memory_bytes = serializers.IntegerField()
    gpus = serializers.IntegerField(help_text="How many GPUs it offers.")
    labels = serializers.DictField(child=serializers.CharField())


class HostSerializer(serializers.ModelSerializer[Host]):
    """A machine that runs workloads, and what of it is free."""

    free = serializers.SerializerMethodField()
    live_workloads = serializers.IntegerField(source="live", read_only=True)
    gpus = GpuSerializer(many=True, read_only=True)
    machines = MachineSerializer(
        many=True, read_only=True, help_text="Of a swarm: those that take workloads now. Empty for one machine."
    )
    labels = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Host
        fields = [
            "id",
            "name",
            "state",
            "backend",
            "cpu",
            "memory_bytes",
            "gpus",
            "machines",
            "free",
            "live_workloads",
            "labels",
            "heartbeat_at",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field(RoomSerializer)
    def get_free(self, host: Host) -> dict[str, object]:
        """What of the host is free."""
        room = free_room(host)
        return {"cpu": room.cpu, "memory_bytes": room.memory_bytes, "gpus": list(room.gpus)}


class ProfileSerializer(serializers.ModelSerializer[ResourceProfile]):
    """A size to ask for."""

    labels = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ResourceProfile
        fields = ["id", "name", "description", "cpu", "memory_bytes", "gpus", "labels"]
        read_only_fields = fields


class ProfileChangeSerializer(serializers.Serializer[ResourceProfile]):
    """What may be changed of a size."""

    description = serializers.CharField(required=False, allow_blank=True, max_length=5000, help_text="What it is for.")
    cpu = serializers.FloatField(
        required=False, min_value=LEAST_CPU, max_value=MOST_CPU, help_text="A share of CPUs that is always granted."
    )
    memory_bytes = serializers.IntegerField(
        required=False,
        min_value=LEAST_MEMORY_BYTES,
        max_value=MOST_MEMORY_BYTES,
        help_text="A hard limit: what uses more is ended.",
    )
    gpus = serializers.IntegerField(
        required=False, min_value=0, max_value=MOST_GPUS, help_text="Whole GPUs, for one run or replica alone."
    )
    labels = serializers.DictField(
        child=serializers.CharField(max_length=63, allow_blank=True),
        required=False,
        help_text="Only hosts that have all of these labels are good enough.",
    )


class ProfileCreateSerializer(ProfileChangeSerializer):
    """A size to add."""

    name = serializers.CharField(max_length=63, help_text="Unique: small letters, digits and hyphens.")
    cpu = serializers.FloatField(min_value=LEAST_CPU, max_value=MOST_CPU, help_text="CPUs, also parts of one.")
    memory_bytes = serializers.IntegerField(
        min_value=LEAST_MEMORY_BYTES, max_value=MOST_MEMORY_BYTES, help_text="A hard limit: what uses more is ended."
    )


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

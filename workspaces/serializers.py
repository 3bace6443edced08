"""REST forms of workspaces, members and data connections."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from modelwright.accounts.permissions import WORKSPACE_ROLE_CHOICES
from workspaces.connection_kinds import MAX_TEXT
from workspaces.connection_services import MAX_SECRET
from workspaces.models import SMALLEST_CPU, DataConnection, Membership, Workspace

MAX_DESCRIPTION = 5000
MAX_INTEGER = 2_147_483_647
MAX_GPUS = 32_767
MAX_PROFILES = 200


class WorkspaceSerializer(serializers.ModelSerializer[Workspace]):
    """A workspace. A limit of null is no limit, no profiles are all profiles."""

    profiles = serializers.ListField(child=serializers.CharField(), read_only=True)
    host_labels = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Workspace
        fields = [
            "id",
            "name",
            "description",
            "cpu_limit",
            "memory_limit_mib",
            "gpu_limit",
            "concurrent_runs_limit",
            "profiles",
            "host_labels",
            "revision",
            "created_at",
        ]
        read_only_fields = fields


class WorkspaceChangeSerializer(serializers.Serializer[Workspace]):
    """What may be changed of a workspace. Only site administrators change limits."""

    description = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_DESCRIPTION, help_text="What it is for, in plain text."
    )
    cpu_limit = serializers.FloatField(
        required=False,
        allow_null=True,
        min_value=SMALLEST_CPU,
        max_value=1_000_000,
        help_text="CPUs that its runs and replicas may use together; null for no limit.",
    )
    memory_limit_mib = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MAX_INTEGER,
        help_text="MiB of memory that its runs and replicas may use together; null for no limit.",
    )
    gpu_limit = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=MAX_GPUS,
        help_text="GPUs that its runs and replicas may use together; null for no limit, 0 for none.",
    )
    concurrent_runs_limit = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MAX_INTEGER,
        help_text="Runs that may go at the same time; null for no limit.",
    )
    profiles = serializers.ListField(
        child=serializers.CharField(max_length=63),
        required=False,
        max_length=MAX_PROFILES,
        help_text="Names of the sizes that its runs may ask for; empty for all.",
    )
    host_labels = serializers.DictField(
        child=serializers.CharField(max_length=63, allow_blank=True),
        required=False,
        help_text="Its workloads go only to hosts with all of these labels; empty for every host.",
    )


class WorkspaceCreateSerializer(WorkspaceChangeSerializer):
    """A workspace to make."""

    name = serializers.CharField(max_length=63, help_text="Unique: small letters, digits and hyphens.")


@extend_schema_serializer(component_name="WorkspaceMember")
class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A person's role in a workspace."""

    username = serializers.CharField(source="user.username", read_only=True)
    full_name = serializers.CharField(source="user.full_name", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "username", "full_name", "role", "created_at"]
        read_only_fields = fields


@extend_schema_serializer(component_name="WorkspaceMemberSet")
class MemberSetSerializer(serializers.Serializer[Membership]):
    """The role to give."""

    role = serializers.ChoiceField(
        choices=WORKSPACE_ROLE_CHOICES,
        help_text="`member` sees the workspace and makes projects; `admin` administers it and every project in it.",
    )


class DataConnectionSerializer(serializers.ModelSerializer[DataConnection]):
    """A data connection without its secret."""

    has_secret = serializers.BooleanField(read_only=True, help_text="Whether a secret is kept. It is never shown.")
    config = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = DataConnection
        fields = ["id", "name", "description", "kind", "config", "has_secret", "revision", "created_at"]
        read_only_fields = fields


@extend_schema_field({"oneOf": [{"type": "string", "maxLength": MAX_TEXT}, {"type": "integer"}]})
class ConfigValueField(serializers.Field[Any, Any, Any, Any]):
    """A text or a whole number, such as a port; the kind of connection then says what it must be."""

    def to_internal_value(self, data: Any) -> str | int:
        """Refuse every other type."""
        if isinstance(data, bool) or not isinstance(data, str | int):
            raise serializers.ValidationError("Give a text or a whole number.")
        return data

    def to_representation(self, value: Any) -> Any:
        """As it is."""
        return value


class DataConnectionChangeSerializer(serializers.Serializer[DataConnection]):
    """What may be changed of a data connection."""

    description = serializers.CharField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)
    config = serializers.DictField(
        child=ConfigValueField(),
        required=False,
        help_text=(
            "postgresql: host, port, database, username, sslmode · s3: bucket, endpoint_url, region, access_key_id, "
            "prefix · http: url · directory: path. Nothing secret."
        ),
    )
    secret = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        max_length=MAX_SECRET,
        write_only=True,
        help_text="Password, secret access key or Bearer token. Kept encrypted, never answered. Empty takes it away.",
    )


class DataConnectionCreateSerializer(DataConnectionChangeSerializer):
    """A data connection to add."""

    name = serializers.CharField(max_length=63, help_text="Unique in the workspace.")
    kind = serializers.ChoiceField(choices=DataConnection.Kind.choices)
    config = serializers.DictField(
        child=ConfigValueField(),
        help_text=DataConnectionChangeSerializer().fields["config"].help_text or "",
    )

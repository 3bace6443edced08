"""REST forms of models, versions and lineage."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from models.registry.models import CompiledModel, ModelVersion, RegisteredModel


class ModelSerializer(serializers.ModelSerializer[RegisteredModel]):
    """A registered model."""

    project_name = serializers.CharField(source="project.name", read_only=True)
    workspace_name = serializers.CharField(source="project.workspace.name", read_only=True)
    versions = serializers.IntegerField(source="version_count", read_only=True, help_text="How many there are.")
    latest_version = serializers.IntegerField(source="latest", read_only=True, allow_null=True)

    class Meta:
        model = RegisteredModel
        fields = [
            *("id", "name", "description", "project", "project_name", "workspace_name"),
            *("versions", "latest_version", "created_at"),
        ]
        read_only_fields = fields


class ModelChangeSerializer(serializers.Serializer[RegisteredModel]):
    """What may be changed of a model."""

    description = serializers.CharField(allow_blank=True, max_length=5000)


class ColumnSerializer(serializers.Serializer[Any]):
    """A column of a signature."""

    name = serializers.CharField(required=False)
    type = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]  # hides a name of DRF's own


class SignatureSerializer(serializers.Serializer[Any]):
    """What goes in and what comes out."""

    inputs = ColumnSerializer(many=True)
    outputs = ColumnSerializer(many=True)


class VersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """A version of a model."""

    model_name = serializers.CharField(source="model.name", read_only=True)
    project = serializers.UUIDField(source="model.project_id", read_only=True)
    aliases = serializers.SerializerMethodField()
    metrics = serializers.DictField(child=serializers.FloatField(allow_null=True), read_only=True)
    parameters = serializers.DictField(child=serializers.CharField(), read_only=True)
    signature = serializers.SerializerMethodField()
    example = serializers.DictField(child=serializers.JSONField(), read_only=True, allow_null=True)
    algorithm = serializers.DictField(child=serializers.JSONField(), read_only=True, allow_null=True)

    class Meta:
        model = ModelVersion
        fields = [
            *("id", "model", "model_name", "project", "number", "description", "state", "detail", "aliases"),
            *("source", "source_run_id", "mlflow_run_id", "mlflow_model_id"),
            *("manifest_digest", "artifact_digest", "size", "flavor", "algorithm_name", "algorithm"),
            *("signature", "example", "metrics", "parameters", "requirements", "python_version", "created_at"),
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_aliases(self, version: ModelVersion) -> list[str]:
        """Names that point to this version."""
        return sorted(alias.name for alias in version.aliases.all())

    @extend_schema_field(SignatureSerializer(allow_null=True))
    def get_signature(self, version: ModelVersion) -> Any:
        """Null for a model that was logged without one."""
        return version.signature


@extend_schema_serializer(component_name="ModelFile")
class FileSerializer(serializers.Serializer[Any]):
    """A file of a version."""

    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()


class CompiledSerializer(serializers.ModelSerializer[CompiledModel]):
    """The ONNX form of a version, and the proof that it answers the same."""

    proof = serializers.DictField(child=serializers.JSONField(), read_only=True)

    class Meta:
        model = CompiledModel
        fields = ["state", "reason", "proof", "manifest_digest", "size", "created_at", "ended_at"]
        read_only_fields = fields


class VersionDetailSerializer(VersionSerializer):
    """A version with its files, its environment and its compiled form."""

    files = serializers.SerializerMethodField()
    environment = serializers.SerializerMethodField()
    compiled = serializers.SerializerMethodField()

    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "files", "environment", "compiled"]
        read_only_fields = fields

    @extend_schema_field(FileSerializer(many=True))
    def get_files(self, _version: ModelVersion) -> list[dict[str, Any]]:
        """Every file of the snapshot."""
        return [{"path": e.path, "size": e.size, "sha256": e.sha256} for e in self.context["manifest"].entries]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_environment(self, version: ModelVersion) -> str | None:
        """The digest of the lock that it is opened and served with, once that is known."""
        request = version.environment_request
        return request.environment.lock_digest if request and request.environment else None

    @extend_schema_field(CompiledSerializer(allow_null=True))
    def get_compiled(self, version: ModelVersion) -> dict[str, Any] | None:
        """Null for a version that is not compiled, such as one of another flavour."""
        compiled = CompiledModel.objects.filter(version=version).first()
        return dict(CompiledSerializer(compiled).data) if compiled else None


class AliasSerializer(serializers.Serializer[Any]):
    """Which version an alias points to."""

    version = serializers.IntegerField(min_value=1, max_value=2_147_483_647, help_text="The version's number.")


class NodeSerializer(serializers.Serializer[Any]):
    """A node of lineage."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    project_id = serializers.UUIDField(allow_null=True)
    namespace = serializers.CharField()
    name = serializers.CharField()
    title = serializers.CharField()
    version_digest = serializers.CharField()
    attrs = serializers.DictField(child=serializers.JSONField())


class EdgeSerializer(serializers.Serializer[Any]):
    """An edge of lineage, in the direction of data."""

    src = serializers.UUIDField(source="src_id")
    dst = serializers.UUIDField(source="dst_id")
    kind = serializers.CharField()
    origin = serializers.CharField()
    run_id = serializers.UUIDField(allow_null=True)


class GraphSerializer(serializers.Serializer[Any]):
    """What something came from and what came from it. `truncated` says that there is more."""

    start = serializers.UUIDField(allow_null=True)
    nodes = NodeSerializer(many=True)
    edges = EdgeSerializer(many=True)
    truncated = serializers.BooleanField()

"""REST forms of batch jobs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from models.batch.models import (
    MOST_CHUNK_ROWS,
    USUAL_CHUNK_ROWS,
    BatchAttempt,
    BatchChunk,
    BatchInput,
    BatchJob,
    Format,
)
from models.batch.sources import MAX_KEYS, MAX_QUERY


class BatchInputSerializer(serializers.ModelSerializer[BatchInput]):
    """A file that was uploaded to be scored."""

    class Meta:
        model = BatchInput
        fields = ["id", "project", "name", "format", "sha256", "size", "created_by", "created_at", "deleted_at"]
        read_only_fields = fields


class BatchInputCreateSerializer(serializers.Serializer[BatchInput]):
    """A file to score, as JSON."""

    name = serializers.CharField(max_length=255, help_text="Its name; the ending says whether it is CSV or Parquet.")
    content = serializers.CharField(
        trim_whitespace=False, max_length=15_000_000, help_text="CSV as it is, Parquet in base64."
    )


class SourceSerializer(serializers.Serializer[Any]):
    """What is scored."""

    kind = serializers.ChoiceField(choices=["upload", "repository", "file", "table", "query"])
    input = serializers.UUIDField(required=False, help_text="The id of an uploaded file, for `upload`.")
    path = serializers.CharField(
        required=False, max_length=500, help_text="Of a file in the project's repository, or of a data connection."
    )
    commit = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="Full id; the newest commit if left out."
    )
    connection = serializers.CharField(
        required=False, max_length=63, help_text="Name of a data connection, for `file`, `table` and `query`."
    )
    table = serializers.CharField(required=False, max_length=130, help_text="Such as `customers` or `sales.customers`.")
    query = serializers.CharField(required=False, max_length=MAX_QUERY, help_text="One SELECT.")


class BatchJobCreateSerializer(serializers.Serializer[BatchJob]):
    """A batch job to start."""

    model_version = serializers.UUIDField()
    endpoint = serializers.UUIDField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Whose rules of retention and redaction hold for the predictions.",
    )
    source = SourceSerializer()  # type: ignore[assignment]  # a field may be called as an argument of fields
    key_columns = serializers.ListField(
        child=serializers.CharField(max_length=200),
        required=False,
        max_length=MAX_KEYS,
        help_text="Columns that are copied to the output. A table needs one, which names each row once.",
    )
    output_format = serializers.ChoiceField(choices=Format.choices, required=False)
    output_table = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=130,
        help_text="A table of the same connection that gets the predictions by key, made where it is missing.",
    )
    chunk_rows = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_CHUNK_ROWS, help_text=f"{USUAL_CHUNK_ROWS} if left out."
    )
    on_error = serializers.ChoiceField(
        choices=BatchJob.OnError.choices, required=False, help_text="What a row that cannot be predicted does."
    )
    profile = serializers.CharField(required=False, allow_blank=True, max_length=63, help_text="Name of a size.")


class BatchJobSerializer(serializers.ModelSerializer[BatchJob]):
    """A batch job and how far it is."""

    project_name = serializers.CharField(source="project.name", read_only=True)
    model = serializers.CharField(source="model_version.model.name", read_only=True)
    version = serializers.IntegerField(source="model_version.number", read_only=True)
    profile = serializers.CharField(source="profile.name", default="", read_only=True)
    source = serializers.JSONField(read_only=True)  # type: ignore[assignment]
    key_columns = serializers.ListField(child=serializers.CharField(), read_only=True)
    waiting_reason = serializers.CharField(source="workload.waiting_reason", read_only=True)
    seconds_left = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = BatchJob
        fields = [
            *("id", "project", "project_name", "number", "state", "detail", "remedy", "waiting_reason"),
            *("model_version", "model", "version", "endpoint", "served_by"),
            *("source", "key_columns", "output_format", "output_table", "chunk_rows", "on_error", "profile"),
            *("attempt", "rows_total", "rows_done", "rows_failed", "chunks_done", "rate", "seconds_left"),
            *("output_sha256", "output_size", "actor_name", "created_at", "started_at", "ended_at"),
        ]
        read_only_fields = fields


class RowErrorSerializer(serializers.Serializer[Any]):
    """A row that could not be predicted."""

    row = serializers.IntegerField()
    key = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    message = serializers.CharField()


class BatchAttemptSerializer(serializers.ModelSerializer[BatchAttempt]):
    """A try of a batch job."""

    state = serializers.CharField(source="workload.state", read_only=True)

    class Meta:
        model = BatchAttempt
        fields = ["number", "state", "because", "actor_name", "created_at"]
        read_only_fields = fields


class BatchJobDetailSerializer(BatchJobSerializer):
    """A batch job with its first errors and its attempts."""

    errors = RowErrorSerializer(source="error_sample", many=True, read_only=True)  # type: ignore[assignment]
    attempts = BatchAttemptSerializer(many=True, read_only=True)

    class Meta(BatchJobSerializer.Meta):
        fields = [*BatchJobSerializer.Meta.fields, "errors", "attempts"]
        read_only_fields = fields


class BatchChunkSerializer(serializers.ModelSerializer[BatchChunk]):
    """A part that is stored."""

    class Meta:
        model = BatchChunk
        fields = ["id", "number", "attempt", "rows", "failed", "first_row", "last_row", "seconds", "size", "created_at"]
        read_only_fields = fields


class BatchCancelSerializer(serializers.Serializer[BatchJob]):
    """Why a batch job is cancelled."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)

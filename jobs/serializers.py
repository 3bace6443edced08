"""REST forms of jobs and runs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.failures import explain
from jobs.models import MOST_RETRIES, Attempt, Job, Run
from jobs.selectors import attempts_of
from modelwright.compute.models import Environment


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job."""

    profile = serializers.CharField(source="profile.name", default="", read_only=True)
    runs_after = serializers.CharField(source="runs_after.name", default="", read_only=True)
    arguments = serializers.ListField(child=serializers.CharField(), read_only=True)
    variables = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Job
        fields = [
            "id",
            "project",
            "name",
            "description",
            "script",
            "arguments",
            "profile",
            "image",
            "timeout_seconds",
            "retries",
            "retry_failed",
            "variables",
            "source",
            "schedule",
            "next_run_at",
            "runs_after",
            "is_active",
            "problem",
            "revision",
            "created_at",
        ]
        read_only_fields = fields


class JobChangeSerializer(serializers.Serializer[Job]):
    """What may be changed of a job."""

    description = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    script = serializers.CharField(required=False, max_length=500, help_text="Path of a `.py` file in the repository.")
    arguments = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), required=False, max_length=100
    )
    profile = serializers.CharField(
        required=False, allow_blank=True, max_length=63, help_text="Name of a size, empty for the usual."
    )
    image = serializers.CharField(
        required=False, allow_blank=True, max_length=255, help_text="A ready image in place of the requirements."
    )
    timeout_seconds = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2_592_000)
    retries = serializers.IntegerField(
        required=False, min_value=0, max_value=MOST_RETRIES, help_text="How often a run lost with its host is retried."
    )
    retry_failed = serializers.BooleanField(required=False, help_text="Retry a run that failed, too.")
    variables = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="Environment variables that are no secrets.",
    )
    schedule = serializers.CharField(
        required=False, allow_blank=True, max_length=100, help_text="Five cron fields in UTC, empty for none."
    )
    runs_after = serializers.CharField(
        required=False, allow_blank=True, max_length=63, help_text="Name of the job after whose success this one runs."
    )
    is_active = serializers.BooleanField(required=False)


class JobCreateSerializer(JobChangeSerializer):
    """A job to make."""

    name = serializers.CharField(max_length=63)
    script = serializers.CharField(max_length=500, help_text="Path of a `.py` file in the repository.")


class ParametersField(serializers.DictField):
    """Texts, numbers and truth values by name."""

    child = serializers.JSONField()


class JobRunSerializer(serializers.Serializer[Run]):
    """A run of a job to start."""

    parameters = ParametersField(
        required=False, help_text="Texts, numbers and truth values; appended to the arguments as `--name value`."
    )
    commit = serializers.CharField(
        required=False, allow_null=True, max_length=64, help_text="Full id of a commit; the newest one if left out."
    )
    profile = serializers.CharField(required=False, allow_blank=True, max_length=63)
    image = serializers.CharField(
        required=False, allow_blank=True, max_length=255, help_text="A ready image; the job's if left out."
    )
    timeout_seconds = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2_592_000)
    retries = serializers.IntegerField(
        required=False, min_value=0, max_value=MOST_RETRIES, help_text="The job's, or none, if left out."
    )
    retry_failed = serializers.BooleanField(required=False, help_text="The job's if left out.")


class ScriptRunSerializer(JobRunSerializer):
    """A run of a script to start."""

    script = serializers.CharField(max_length=500, help_text="Path of a `.py` file in the repository.")
    arguments = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), required=False, max_length=100
    )


class RunEnvironmentSerializer(serializers.ModelSerializer[Environment]):
    """The environment of a run, as far as it is known yet."""

    class Meta:
        model = Environment
        fields = ["id", "lock_digest", "python_version"]
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer[Run]):
    """A run."""

    state = serializers.CharField(read_only=True)
    waiting_reason = serializers.CharField(source="workload.waiting_reason", read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)
    arguments = serializers.ListField(child=serializers.CharField(), read_only=True)
    parameters = serializers.DictField(child=serializers.JSONField(), read_only=True)
    queued_at = serializers.DateTimeField(source="workload.queued_at", read_only=True)
    started_at = serializers.DateTimeField(source="workload.started_at", read_only=True, allow_null=True)
    finished_at = serializers.DateTimeField(source="workload.finished_at", read_only=True, allow_null=True)
    exit_code = serializers.IntegerField(source="workload.exit_code", read_only=True, allow_null=True)
    host = serializers.CharField(source="workload.host.name", default=None, read_only=True, allow_null=True)
    image = serializers.CharField(source="workload.spec.image", default="", read_only=True)

    class Meta:
        model = Run
        fields = [
            "id",
            "project",
            "job",
            "name",
            "number",
            "state",
            "waiting_reason",
            "script",
            "arguments",
            "parameters",
            "commit",
            "trigger",
            "created_by",
            "created_at",
            "queued_at",
            "started_at",
            "finished_at",
            "exit_code",
            "host",
            "image",
            "attempt",
            "retries",
        ]
        read_only_fields = fields


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One try of a run. Its log is at the run's log with `?attempt=`."""

    state = serializers.CharField(source="workload.state", read_only=True)
    host = serializers.CharField(source="workload.host.name", default=None, read_only=True, allow_null=True)
    started_at = serializers.DateTimeField(source="workload.started_at", read_only=True, allow_null=True)
    finished_at = serializers.DateTimeField(source="workload.finished_at", read_only=True, allow_null=True)
    exit_code = serializers.IntegerField(source="workload.exit_code", read_only=True, allow_null=True)
    detail = serializers.CharField(source="workload.detail", read_only=True)

    class Meta:
        model = Attempt
        fields = ["number", "because", "state", "host", "started_at", "finished_at", "exit_code", "detail"]
        read_only_fields = fields


class CauseSerializer(serializers.Serializer[Any]):
    """Why a run did not succeed."""

    message = serializers.CharField()
    remedy = serializers.CharField()
    tail = serializers.CharField(help_text="The last lines of its log.")


class ObservedFileSerializer(serializers.Serializer[Any]):
    """A file that was seen to be read or written."""

    path = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()


class RunDetailSerializer(RunSerializer):
    """A run with its environment, what it was seen to read and write, and why it ended."""

    environment = RunEnvironmentSerializer(source="workload.environment", read_only=True, allow_null=True)
    environment_note = serializers.CharField(source="workload.environment_note", read_only=True)
    peak_memory_bytes = serializers.IntegerField(source="workload.peak_memory_bytes", read_only=True, allow_null=True)
    timeout_seconds = serializers.IntegerField(source="workload.timeout_seconds", read_only=True, allow_null=True)
    read = serializers.SerializerMethodField()
    written = serializers.SerializerMethodField()
    fetched = serializers.SerializerMethodField()
    sent = serializers.SerializerMethodField()
    cause = serializers.SerializerMethodField()
    attempts = serializers.SerializerMethodField()

    class Meta(RunSerializer.Meta):
        fields = [
            *RunSerializer.Meta.fields,
            "retry_failed",
            "attempts",
            "environment",
            "environment_note",
            "peak_memory_bytes",
            "timeout_seconds",
            "read",
            "written",
            "fetched",
            "sent",
            "cause",
        ]
        read_only_fields = fields

    @extend_schema_field(ObservedFileSerializer(many=True))
    def get_read(self, run: Run) -> list[dict[str, Any]]:
        """Files below the working folder that it read and that are no part of the commit."""
        return _files(run, "read")

    @extend_schema_field(ObservedFileSerializer(many=True))
    def get_written(self, run: Run) -> list[dict[str, Any]]:
        """Files below the working folder that it wrote and left."""
        return _files(run, "written")

    @extend_schema_field(ObservedFileSerializer(many=True))
    def get_fetched(self, run: Run) -> list[dict[str, Any]]:
        """Artifacts that it fetched through the tracking address."""
        return _files(run, "fetched")

    @extend_schema_field(ObservedFileSerializer(many=True))
    def get_sent(self, run: Run) -> list[dict[str, Any]]:
        """Artifacts that it sent through the tracking address, without the files of models."""
        return _files(run, "sent")

    @extend_schema_field(CauseSerializer(allow_null=True))
    def get_cause(self, run: Run) -> dict[str, str] | None:
        """Null for a run that goes on or succeeded."""
        cause = explain(run)
        return None if cause is None else {"message": cause.message, "remedy": cause.remedy, "tail": cause.tail}

    @extend_schema_field(AttemptSerializer(many=True))
    def get_attempts(self, run: Run) -> list[dict[str, Any]]:
        """Every try of it, the first one first."""
        return list(AttemptSerializer(attempts_of(run), many=True).data)


def _files(run: Run, kind: str) -> list[dict[str, Any]]:
    found = (run.observed or {}).get(kind, [])
    return [{"path": path, "sha256": sha256, "size": size} for path, sha256, size in found]


class CancelSerializer(serializers.Serializer[Run]):
    """Why a run is cancelled."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000, default="")


class LogSerializer(serializers.Serializer[Any]):
    """A piece of a log. `finished` says that no more will come."""

    text = serializers.CharField()
    offset = serializers.IntegerField(help_text="Where to go on.")
    finished = serializers.BooleanField()


class MetricSerializer(serializers.Serializer[Any]):
    """The latest value of a metric; null for one that is not a number or infinite."""

    key = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    step = serializers.IntegerField()
    at = serializers.DateTimeField()
    points = serializers.IntegerField(help_text="How often it was logged.")


class DatasetInputSerializer(serializers.Serializer[Any]):
    """A data set named with `mlflow.log_input`; the digest is MLflow's, a hint."""

    name = serializers.CharField()
    digest = serializers.CharField()
    source_type = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # hides a name of DRF's own, which these forms do not use
    context = serializers.CharField()  # type: ignore[assignment]  # hides a name of DRF's own, which these forms do not use


class TrackedRunSerializer(serializers.Serializer[Any]):
    """One MLflow run that the run made."""

    mlflow_id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    parent = serializers.CharField()  # type: ignore[assignment]  # hides a name of DRF's own, which these forms do not use
    attempt = serializers.IntegerField(allow_null=True, help_text="The attempt of the run that made it, from 1 on.")
    parameters = serializers.DictField(child=serializers.CharField())
    metrics = MetricSerializer(many=True)
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True))
    inputs = DatasetInputSerializer(many=True)


class TrackedSerializer(serializers.Serializer[Any]):
    """Everything that a run logged, outermost and earliest first."""

    results = TrackedRunSerializer(many=True)


class SeriesSerializer(serializers.Serializer[Any]):
    """A metric's history in one MLflow run, thinned to at most 1,000 points of `total`."""

    mlflow_id = serializers.CharField()
    attempt = serializers.IntegerField(allow_null=True, help_text="The attempt of the run that logged it.")
    total = serializers.IntegerField()
    points = serializers.ListField(child=serializers.ListField(child=serializers.FloatField(allow_null=True)))


class HistorySerializer(serializers.Serializer[Any]):
    """A metric's history."""

    key = serializers.CharField()
    series = SeriesSerializer(many=True)


class ArtifactSerializer(serializers.Serializer[Any]):
    """A file that a run logged."""

    path = serializers.CharField()
    size = serializers.IntegerField()


class ArtifactListSerializer(serializers.Serializer[Any]):
    """Every file that a run logged."""

    results = ArtifactSerializer(many=True)

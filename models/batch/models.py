"""Tables: files to score, batch jobs, their attempts, and the chunks that are stored."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from models.batch.states import BatchState
from models.endpoints.models import Endpoint
from models.registry.models import ModelVersion
from modelwright.compute.models import ResourceProfile, Workload
from modelwright.core.models import BaseModel
from projects.models import Project
from workspaces.models import DataConnection

MOST_CHUNK_ROWS = 50_000
USUAL_CHUNK_ROWS = 5_000


class Format(models.TextChoices):
    """How rows lie in a file."""

    CSV = "csv", "CSV"
    PARQUET = "parquet", "Parquet"


class BatchInput(BaseModel):
    """An uploaded file to score. Its content is a blob, which the control plane never parses.

    `is_apart` says that it lies among the uploads, from where it is deleted when nobody used it for long; what was
    uploaded before there were such lies among blobs that may be something else, too, and stays.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="batch_inputs")
    name = models.CharField(max_length=255)
    format = models.CharField(max_length=16, choices=Format.choices)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    created_by = models.CharField(max_length=100)
    is_apart = models.BooleanField(default=True, db_default=False)
    # When its content was deleted.
    deleted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class BatchJob(BaseModel):
    """One scoring of one input by one version, in one attempt or several. Only `transitions.py` writes `state`.

    `source` says what is read: `{"kind": "upload" | "repository", "name", "format", "sha256", "size"}`, with `input`
    and `apart` (see `BatchInput`) or `commit` and `path`; or `{"kind": "table" | "query", "connection", "table" |
    "query"}`; or `{"kind": "file", "connection", "path", "name", "format"}`, with `sha256` and `size` once a process
    has fetched it. `key_columns` are copied to the output; a table has one, which orders its rows. Predictions stand
    on record with the job's id in place of a deployment's.
    """

    class OnError(models.TextChoices):
        """What a row that cannot be predicted does."""

        RECORD = "record", "Keep the row with the reason and go on"
        STOP = "stop", "End the job"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="batch_jobs")
    number = models.PositiveIntegerField()
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="batch_jobs")
    # Whose rules of retention and redaction hold, and among whose predictions these stand.
    endpoint = models.ForeignKey(Endpoint, null=True, on_delete=models.PROTECT, related_name="batch_jobs")
    state = models.CharField(max_length=16, choices=BatchState.choices, default=BatchState.QUEUED)
    # Why it failed, was cancelled or waits again.
    detail = models.TextField(blank=True, default="")
    remedy = models.TextField(blank=True, default="")

    source = models.JSONField()
    connection = models.ForeignKey(DataConnection, null=True, on_delete=models.SET_NULL, related_name="+")
    key_columns = models.JSONField(default=list, blank=True)
    output_format = models.CharField(max_length=16, choices=Format.choices, default=Format.CSV)
    # A table of the same connection that gets the predictions by key, empty for none.
    output_table = models.CharField(max_length=130, blank=True, default="")
    chunk_rows = models.PositiveIntegerField(
        default=USUAL_CHUNK_ROWS, validators=[MinValueValidator(1), MaxValueValidator(MOST_CHUNK_ROWS)]
    )
    on_error = models.CharField(max_length=16, choices=OnError.choices, default=OnError.RECORD)
    profile = models.ForeignKey(ResourceProfile, null=True, on_delete=models.SET_NULL, related_name="+")

    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="batch_job")
    attempt = models.PositiveSmallIntegerField(default=1)
    token_digest = models.CharField(max_length=64, unique=True)
    token_died_at = models.DateTimeField(null=True)

    rows_total = models.BigIntegerField(null=True)
    rows_done = models.BigIntegerField(default=0)
    rows_failed = models.BigIntegerField(default=0)
    chunks_done = models.PositiveIntegerField(default=0)
    # Rows a second over the newest chunks of this attempt.
    rate = models.FloatField(null=True)
    # The first rows that could not be predicted: `[{"row", "key", "code", "message"}]`.
    error_sample = models.JSONField(default=list, blank=True)
    served_by = models.CharField(max_length=80, default="original")
    # The whole output where it cannot be put together from its parts: Parquet.
    output_sha256 = models.CharField(max_length=64, blank=True, default="")
    output_size = models.BigIntegerField(null=True)

    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=100)
    # Of the newest attempt.
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="batch_job_number")]
        indexes = [models.Index(fields=["project", "-id"], name="batch_job_of_project")]

    def __str__(self) -> str:
        return f"batch #{self.number}"

    @property
    def is_live(self) -> bool:
        """Whether it is not over."""
        return self.state in (BatchState.QUEUED, BatchState.RUNNING)

    @property
    def source_name(self) -> str:
        """What is scored, in a few words."""
        source = self.source
        if source["kind"] == "query":
            return f"a query of {source['connection']}"
        if source["kind"] in ("table", "file"):
            return f"{source['connection']}: {source['table' if source['kind'] == 'table' else 'path']}"
        return str(source["name"])

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the present rate, None while nobody can tell."""
        if self.state != BatchState.RUNNING or not self.rate or self.rows_total is None:
            return None
        return max(0, self.rows_total - self.rows_done) / self.rate


class BatchAttempt(BaseModel):
    """One try of a batch job. Each has a workload and a token of its own, and goes on after what is stored."""

    job = models.ForeignKey(BatchJob, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="batch_attempt")
    because = models.TextField(blank=True, default="")
    actor_name = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="batch_attempt_number")]

    def __str__(self) -> str:
        return f"{self.job_id} {self.number}"


class BatchChunk(BaseModel):
    """A part of the input that is scored, on record and in the output. `number` counts from 0, rows from 1.

    `last_key` is the key of the last row as text, after which a table is read on.
    """

    job = models.ForeignKey(BatchJob, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField()
    rows = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()
    first_row = models.BigIntegerField()
    last_row = models.BigIntegerField()
    last_key = models.TextField(blank=True, default="")
    seconds = models.FloatField()
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="batch_chunk_number")]

    def __str__(self) -> str:
        return f"{self.job_id} {self.number}"

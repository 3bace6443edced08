"""Writes of a scoring process, which its token has led to its job. A chunk is stored once, whole, or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from modelwright_runtime.scoring.limits import MAX_PART_BYTES

from lineage.services import add as add_lineage
from models.batch import transitions
from models.batch.facts import audit
from models.batch.lineage_edges import edges_of_input, edges_of_output, edges_of_reading, edges_of_table
from models.batch.models import BatchChunk, BatchJob
from models.batch.records import BatchNames, Header, check, check_moment, is_broken, records_of
from models.gateway.recording import Recorder
from models.predictions.storing import store
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import Conflict, ValidationFailed
from modelwright.core.text import storable
from modelwright.storage.blobs import Readable, check_name
from modelwright.storage.bounded import BoundedReader
from modelwright.storage.settings import blob_store

SCORER = Actor.system("batch scoring")
# The rate is that of so many chunks, or of the last minute.
RATE_CHUNKS = 20
RATE_WINDOW = timedelta(minutes=1)
ERROR_SAMPLE = 20
# What the whole output may have beyond its parts: columns that a part did not know yet, and wider types in Parquet.
OUTPUT_TIMES, OUTPUT_ROW_BYTES, OUTPUT_MORE_BYTES = 2, 1024, 64 * 1024**2


@transaction.atomic
def begin(job: BatchJob) -> dict[str, Any]:
    """Note that its process runs, and say what it is to do and what is stored already."""
    if transitions.begin(job):
        add_lineage(edges=edges_of_input(job))
    job.refresh_from_db()
    last = BatchChunk.objects.filter(job=job).order_by("-number").first()
    return {
        "job": str(job.pk),
        "now_milliseconds": int(timezone.now().timestamp() * 1000),
        "source": job.source,
        "inputs": (job.model_version.signature or {}).get("inputs"),
        "key_columns": job.key_columns,
        "redacted": list(job.endpoint.redacted_columns) if job.endpoint else [],
        "output": {"format": job.output_format, "table": job.output_table},
        "chunk_rows": job.chunk_rows,
        "on_error": job.on_error,
        "stored": {
            "chunks": job.chunks_done,
            "rows": job.rows_done,
            "last_key": last.last_key if last else "",
        },
    }


def set_total(job: BatchJob, rows: int) -> None:
    """How many rows there are in all. No audit row: the job's end is on record."""
    BatchJob.objects.filter(pk=job.pk).update(rows_total=max(0, rows))


@transaction.atomic
def note_file(job: BatchJob, *, sha256: str, size: int) -> None:
    """What the file of its data connection was when the first process had fetched it. No audit row, as above.

    Raises Conflict where it is another one than that: rows of two files would stand in one output.
    """
    job = _locked(job)
    if job.source["kind"] != "file":
        raise ValidationFailed("The job fetches no file.", remedy="Use the runtime of this platform.")
    before = job.source.get("sha256")
    if before not in (None, sha256):
        raise Conflict("The file is not the one with which the job began.", remedy="Start a new job over it.")
    if before is None:
        job.source = {**job.source, "sha256": check_name(sha256), "size": size}
        job.save(update_fields=["source"])
        add_lineage(edges=edges_of_reading(job))


def is_next(job: BatchJob, number: int) -> bool:
    """Whether the chunk is the one that is wanted; False where it is stored. Raises Conflict where it cannot follow."""
    if number < job.chunks_done:
        return False
    _check_number(job, number)
    return True


def store_chunk(job: BatchJob, number: int, header: Any, part: Readable) -> bool:
    """Store a chunk: its predictions, what is counted of them, its part of the output, how far the job is.

    False where it is stored already. Raises Conflict where one before it is missing or the job is over, and
    ValidationFailed. No audit row: the predictions are the record, and the job's end is in the log.
    """
    if number < job.chunks_done:
        return False
    checked = check(header, job.chunk_rows)
    _check_follows(job, number, checked)
    # A blob that no chunk comes to name is harmless, and the job's row is not locked while it is written.
    blob = blob_store().put_stream(BoundedReader(part, MAX_PART_BYTES, _too_large))
    with transaction.atomic():
        job = _locked(job)
        if number < job.chunks_done:
            return False
        _check_follows(job, number, checked)
        store(records_of(job, checked, Recorder(settings.SECRET_KEY)), BatchNames(job))
        BatchChunk.objects.create(
            job=job,
            number=number,
            attempt=job.attempt,
            rows=checked.rows,
            failed=len(checked.errors),
            first_row=checked.first_row,
            last_row=checked.first_row + checked.rows - 1,
            last_key=checked.last_key,
            seconds=checked.seconds,
            sha256=blob.sha256,
            size=blob.size,
        )
        if number == 0:
            add_lineage(edges=edges_of_table(job))
        _go_on(job, checked)
    return True


def _locked(job: BatchJob) -> BatchJob:
    """The job's row until the caller's transaction ends. Raises Conflict where another attempt has begun."""
    rows = BatchJob.objects.select_for_update(of=("self",)).filter(pk=job.pk, attempt=job.attempt)
    found = rows.select_related(
        "project__workspace", "model_version__model", "endpoint__workspace", "connection"
    ).first()
    if found is None:
        raise Conflict("Another attempt of the job has begun.", remedy="End; the other one goes on.")
    return found


def _check_follows(job: BatchJob, number: int, header: Header) -> None:
    _check_number(job, number)
    check_moment(job, header)
    if header.first_row != job.rows_done + 1:
        raise _does_not_follow(job, f"Chunk {number} from row {header.first_row}")


def _check_number(job: BatchJob, number: int) -> None:
    if job.state != "running" or job.token_died_at is not None:
        raise Conflict("The job is over.", remedy="Start another attempt.")
    if number != job.chunks_done:
        raise _does_not_follow(job, f"Chunk {number}")


def _does_not_follow(job: BatchJob, what: str) -> Conflict:
    return Conflict(
        f"{what} does not follow what is stored: {job.chunks_done} chunks, {job.rows_done} rows.",
        remedy="Ask again what is stored, and go on after it.",
    )


def _too_large(limit: int) -> ValidationFailed:
    return ValidationFailed(
        f"What is sent is longer than {limit:,} bytes, which is the most that can come of what is stored.",
        remedy="Use the runtime of this platform.",
    )


def _go_on(job: BatchJob, header: Header) -> None:
    """Count the chunk, and see how fast it goes."""
    is_withheld = bool(job.endpoint and job.endpoint.redacted_columns)
    sample = [
        {
            "row": header.first_row + place,
            **error,
            **({"message": "Not shown: the endpoint redacts columns."} if is_withheld else {}),
            **({"key": ""} if is_withheld and is_broken(header, place) else {}),
        }
        for place, error in sorted(header.errors.items())
    ]
    BatchJob.objects.filter(pk=job.pk).update(
        rows_done=job.rows_done + header.rows,
        rows_failed=job.rows_failed + len(header.errors),
        chunks_done=job.chunks_done + 1,
        error_sample=(job.error_sample + sample)[:ERROR_SAMPLE],
        rate=_rate(job),
    )


def _rate(job: BatchJob) -> float | None:
    """Rows a second over the newest chunks of this attempt."""
    newest = BatchChunk.objects.filter(job=job, attempt=job.attempt).order_by("-number")[:RATE_CHUNKS]
    chunks = list(newest.values_list("rows", "created_at"))
    now = timezone.now()
    recent = [chunk for chunk in chunks if now - chunk[1] <= RATE_WINDOW] or chunks[:1]
    if len(recent) > 1:
        seconds = (recent[0][1] - recent[-1][1]).total_seconds()
        rows = sum(count for count, _ in recent[:-1])
    else:
        seconds = (now - job.started_at).total_seconds() if job.started_at else 0.0
        rows = recent[0][0]
    return rows / seconds if seconds > 0 else None


def store_output(job: BatchJob, stream: Readable) -> None:
    """Keep the whole output, put together of all parts. No audit row: the job's end names it.

    Raises ValidationFailed where it is longer than its parts can make it.
    """
    sums = BatchChunk.objects.filter(job=job).aggregate(bytes=Sum("size", default=0), rows=Sum("rows", default=0))
    limit = OUTPUT_TIMES * sums["bytes"] + OUTPUT_ROW_BYTES * sums["rows"] + OUTPUT_MORE_BYTES
    blob = blob_store().put_stream(BoundedReader(stream, limit, _too_large))
    BatchJob.objects.filter(pk=job.pk, attempt=job.attempt).update(output_sha256=blob.sha256, output_size=blob.size)


@transaction.atomic
def finish(job: BatchJob, *, rows: int, chunks: int) -> None:
    """Every row is stored: the job has succeeded, and its token is worth nothing. Raises Conflict where not."""
    job = _locked(job)
    is_whole = bool(job.output_sha256) or not chunks
    if (rows, chunks) != (job.rows_done, job.chunks_done) or not is_whole:
        raise Conflict(
            f"It says that it is done with {rows} rows in {chunks} chunks, and what is stored are {job.rows_done} rows "
            f"in {job.chunks_done}.",
            remedy="Start another attempt.",
        )
    if transitions.succeed(job, rows_total=rows):
        add_lineage(edges=edges_of_output(job))
        after = {"state": "succeeded", "rows": rows, "rows_failed": job.rows_failed, "output": job.output_sha256}
        audit(AuditAction.BATCH_ENDED, job, acting_user=SCORER, after=after)


@transaction.atomic
def give_up(job: BatchJob, *, message: str, remedy: str) -> bool:
    """The job cannot go on. False where it is over already."""
    message, remedy = storable(message)[:4000], storable(remedy)[:1000]
    if not transitions.fail(job, detail=message, remedy=remedy):
        return False
    after = {"state": "failed", "rows": job.rows_done, "detail": message[:500]}
    audit(AuditAction.BATCH_ENDED, job, acting_user=SCORER, after=after)
    return True

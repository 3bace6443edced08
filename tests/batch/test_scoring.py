"""Batch jobs from the queue to the output: real processes that ask a real web server."""

from __future__ import annotations

import csv
import io
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from lineage.models import Edge
from models.batch import services
from models.batch.models import BatchChunk, BatchJob
from models.predictions.models import Prediction, PredictionBucket
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.layout import work_folder
from modelwright.compute.selectors import log_tail
from modelwright.storage.settings import blob_store
from tests.batch.wine import csv_of
from tests.models_support import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
Finish = Callable[[BatchJob], BatchJob]


def output_of(job: BatchJob) -> list[dict[str, str]]:
    """The rows of a CSV output."""
    return list(csv.DictReader(io.StringIO(blob_store().read(job.output_sha256).decode())))


def predictions_of(job: BatchJob) -> Any:
    return Prediction.objects.filter(deployment_id=job.pk).order_by("id")


def kill(job: BatchJob) -> None:
    """Kill the scoring process itself, as a machine without memory would."""
    job.workload.refresh_from_db()
    folder = work_folder(job.workload)
    killed = 0
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if process.info["cwd"] == str(folder) and "modelwright_runtime.scoring" in (process.info["cmdline"] or []):
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
    assert killed


def test_a_killed_job_goes_on_and_each_row_is_there_once(
    start: Any, finish: Finish, turn: Callable[[], None], ann: User
) -> None:
    bad = {5: "5,not a number,2.0,500,light,north", 1500: "1500,12.0,2.0,,light,north"}
    job = start(csv_of(3000, bad=bad), key_columns=["id"], chunk_rows=200)

    def is_under_way() -> bool:
        turn()
        job.refresh_from_db()
        assert job.state in ("queued", "running"), job.detail
        return bool(job.chunks_done >= 2)

    wait_for(is_under_way)
    assert job.rate
    # In seconds, and of what is left: at most as long as all of it takes at this rate.
    assert job.seconds_left is not None
    assert 0 <= job.seconds_left == (3000 - job.rows_done) / job.rate < 3000 / job.rate
    kill(job)
    finish(job)
    assert (job.state, job.rows_done < 3000, job.output_sha256) == ("failed", True, ""), job.detail
    stored = list(BatchChunk.objects.filter(job=job).values_list("pk", flat=True))
    job = services.retry(job, acting_user=Actor.person(ann))
    finish(job)

    assert job.state == "succeeded", (job.detail, log_tail(job.workload))
    assert (job.rows_done, job.rows_total, job.rows_failed, job.attempt) == (3000, 3000, 2, 2)
    chunks = BatchChunk.objects.filter(job=job)
    assert chunks.count() == 15
    assert set(stored) < set(chunks.values_list("pk", flat=True))
    rows = output_of(job)
    assert [row["id"] for row in rows] == [str(number) for number in range(1, 3001)]
    assert [row["row"] for row in rows] == [row["id"] for row in rows]
    failed = {row["id"]: row["error"] for row in rows if row["error"]}
    assert failed == {
        "5": "alcohol: expected a number, got 'not a number'.",
        "1500": "proline: it is missing, and the signature requires a value.",
    }
    assert {row["prediction"] for row in rows} == {"one:0", "one:1", "one:2", ""}
    first = rows[0]
    assert abs(sum(float(first[f"probability_one:{each}"]) for each in range(3)) - 1) < 1e-9

    recorded = {each.pk: each for each in predictions_of(job)}
    assert len(recorded) == 3000
    assert {str(each) for each in recorded} == {row["prediction_id"] for row in rows}
    for row in (rows[0], rows[2999]):
        (record,) = [each for each in recorded.values() if str(each.pk) == row["prediction_id"]]
        assert (record.outputs, record.status, record.protocol) == ([row["prediction"]], 200, "batch")
        assert (record.project_id, record.model_name, record.version_number) == (job.project_id, "wine", 1)
        assert record.inputs[0]["region"] in ("north", "south", "west")
    wrong = [each for each in recorded.values() if each.status != 200]
    assert {each.error["code"] for each in wrong} == {"signature"}
    assert {each.inputs[0]["id"] for each in wrong} == {"5", "1500"}
    counted = PredictionBucket.objects.filter(deployment_id=job.pk)
    assert (sum(each.rows for each in counted), sum(each.errors for each in counted)) == (3000, 2)

    kinds = {(edge.src.kind, edge.kind, edge.dst.kind) for edge in Edge.objects.select_related("src", "dst")}
    assert {
        ("file", "read", "predictions"),
        ("model_version", "predicted", "predictions"),
        ("predictions", "wrote", "file"),
    } <= kinds
    actions = AuditEvent.objects.filter(target_id=str(job.pk)).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["batch.created", "batch.ended", "batch.retried", "batch.ended"]
    assert job.token_died_at is not None

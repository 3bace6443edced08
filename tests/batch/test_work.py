"""What a scoring process may ask: its own job, once per chunk, as long as it lives."""

from __future__ import annotations

import io
import json
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from modelwright_runtime.scoring.ids import prediction_id

from models.batch import collecting, services, transitions, working
from models.batch.models import BatchChunk, BatchJob
from models.batch.tokens import new_scoring_token
from models.predictions.models import Prediction
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import Workload
from modelwright.core.crypto import token_digest
from modelwright.core.errors import Conflict

SYSTEM = Actor.system("tests")
PART = b"row,prediction\n1,a\n"


def token_of(job: BatchJob) -> str:
    """A token of the job; that which its workload got is kept nowhere in the clear."""
    token = new_scoring_token()
    BatchJob.objects.filter(pk=job.pk).update(token_digest=token_digest(token))
    return token


class Asking:
    """Asks as the process with the token does."""

    def __init__(self, token: str) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str) -> Any:
        return self._client.get(f"/scoring/{path}")

    def say(self, path: str, **facts: Any) -> Any:
        return self._client.post(f"/scoring/{path}", json.dumps(facts), content_type="application/octet-stream")

    def chunk(self, number: int, first_row: int, **changes: Any) -> Any:
        text = json.dumps({**header(first_row), **changes}).encode()
        body = struct.pack(">I", len(text)) + text + PART
        return self._client.post(f"/scoring/chunks/{number}/", body, content_type="application/octet-stream")


def header(first_row: int, rows: int = 2) -> dict[str, Any]:
    """What a chunk says of itself."""
    return {
        "first_row": first_row,
        "rows": rows,
        "seconds": 0.5,
        "milliseconds": int(time.time() * 1000),
        "last_key": "",
        "columns": ["alcohol"],
        "records": [[float(number)] for number in range(rows)],
        "raw": {},
        "predictions": ["a"] * rows,
        "classes": ["a", "b"],
        "probabilities": [[0.75, 0.25]] * rows,
        "errors": [],
    }


@pytest.fixture
def job(start: Any) -> BatchJob:
    made: BatchJob = start("alcohol\n" + "1\n" * 4, chunk_rows=2)
    return made


@pytest.fixture
def asking(job: BatchJob) -> Asking:
    return Asking(token_of(job))


def test_a_chunk_is_stored_once_however_often_it_is_sent(job: BatchJob, asking: Asking) -> None:
    told = asking.get("job/").json()
    assert (told["job"], told["stored"]) == (str(job.pk), {"chunks": 0, "rows": 0, "last_key": ""})
    assert b"".join(asking.get("input/").streaming_content) == b"alcohol\n1\n1\n1\n1\n"
    assert asking.chunk(0, 1).status_code == 201
    assert asking.chunk(0, 1).status_code == 200
    job.refresh_from_db()
    assert (job.state, job.rows_done, job.chunks_done) == ("running", 2, 1)
    found = list(Prediction.objects.filter(deployment_id=job.pk).order_by("id"))
    milliseconds = round(found[0].at.timestamp() * 1000)
    assert abs(milliseconds - told["now_milliseconds"]) < 60_000
    assert [each.pk for each in found] == [prediction_id(job.pk, milliseconds, row) for row in (1, 2)]
    assert found[0].probabilities == [{"a": 0.75, "b": 0.25}]
    assert (found[0].endpoint_id, found[0].project_id) == (job.pk, job.project_id)
    assert b"".join(asking.get("chunks/0/").streaming_content) == PART


def test_what_does_not_follow_is_refused_and_leaves_nothing(job: BatchJob, asking: Asking) -> None:
    asking.get("job/")
    assert asking.chunk(1, 3).status_code == 409
    assert asking.chunk(0, 3).status_code == 409
    assert asking.chunk(0, 1, records=[[1.0]]).status_code == 422
    assert asking.chunk(0, 1, errors=[{"place": 7, "code": "x", "message": "x", "key": ""}]).status_code == 422
    assert asking.chunk(0, 1, rows=3).status_code == 422
    assert asking.chunk(0, 1, milliseconds=1_000).status_code == 422
    assert asking.say("chunks/0/").status_code == 422
    assert BatchChunk.objects.count() == Prediction.objects.count() == 0


def test_a_job_succeeds_only_with_all_that_it_says(job: BatchJob, asking: Asking) -> None:
    asking.get("job/")
    assert asking.say("total/", rows=4).status_code == 204
    asking.chunk(0, 1)
    assert asking.say("end/", rows=4, chunks=2).status_code == 409
    asking.chunk(1, 3)
    assert asking.say("end/", rows=4, chunks=2).status_code == 409
    working.store_output(job, io.BytesIO(PART))
    assert asking.say("end/", rows=4, chunks=2).status_code == 204
    job.refresh_from_db()
    assert (job.state, job.rows_total, job.output_size) == ("succeeded", 4, len(PART))
    assert asking.get("job/").status_code == 401


def test_a_token_dies_with_its_job_and_opens_no_other(job: BatchJob, asking: Asking, start: Any, ann: User) -> None:
    other = start("alcohol\n9\n")
    token = token_of(other)
    assert Asking(token).get("job/").json()["job"] == str(other.pk)
    for wrong in ("", "mwb_unknown", token[:-1], "mwt_" + token[4:]):
        assert Asking(wrong).get("job/").status_code == 401
    services.cancel(job, acting_user=Actor.person(ann))
    assert asking.get("job/").status_code == asking.chunk(0, 1).status_code == 401
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/batch-jobs/").status_code == 401


def test_the_reason_why_a_job_cannot_go_on_reaches_people(job: BatchJob, asking: Asking) -> None:
    asking.get("job/")
    assert asking.say("end/", message="The input lacks the column proline.", remedy="Give it.").status_code == 204
    job.refresh_from_db()
    assert (job.state, job.detail, job.remedy) == ("failed", "The input lacks the column proline.", "Give it.")


def test_another_attempt_has_another_token_and_goes_on(job: BatchJob, asking: Asking, ann: User) -> None:
    asking.get("job/")
    asking.chunk(0, 1)
    services.cancel(job, acting_user=Actor.person(ann))
    again = services.retry(job, acting_user=Actor.person(ann))
    assert (again.state, again.attempt, again.rows_done) == ("queued", 2, 2)
    assert asking.get("job/").status_code == 401
    told = Asking(token_of(again)).get("job/").json()
    assert told["stored"] == {"chunks": 1, "rows": 2, "last_key": ""}
    with pytest.raises(Conflict):
        services.retry(again, acting_user=Actor.person(ann))


def test_what_a_process_of_an_earlier_attempt_still_sends_is_refused(job: BatchJob, ann: User) -> None:
    working.begin(job)
    job.refresh_from_db()
    again = services.cancel(BatchJob.objects.get(pk=job.pk), acting_user=Actor.person(ann))
    services.retry(again, acting_user=Actor.person(ann))
    with pytest.raises(Conflict, match="Another attempt"):
        working.store_chunk(job, 0, header(1), io.BytesIO(PART))
    with pytest.raises(Conflict, match="Another attempt"):
        working.finish(job, rows=0, chunks=0)


def lose(job: BatchJob, state: str) -> None:
    Workload.objects.filter(pk=job.workload_id).update(
        state=state, started_at=timezone.now(), finished_at=timezone.now()
    )


@pytest.mark.parametrize(("state", "then"), [("lost", "queued"), ("failed", "failed"), ("out_of_memory", "failed")])
def test_a_job_whose_host_is_lost_goes_on_by_itself(
    job: BatchJob, asking: Asking, state: str, then: str, turn_collecting: Callable[[], None]
) -> None:
    asking.get("job/")
    asking.chunk(0, 1)
    lose(job, state)
    turn_collecting()
    job.refresh_from_db()
    assert (job.state, job.rows_done) == (then, 2)
    assert job.attempt == (2 if then == "queued" else 1)
    assert bool(job.detail) == (then == "failed")


def test_a_cancellation_ends_the_attempt_that_came_meanwhile(
    job: BatchJob, asking: Asking, ann: User, turn_collecting: Callable[[], None]
) -> None:
    asking.get("job/")
    seen = BatchJob.objects.get(pk=job.pk)
    assert seen.workload.state == "queued"
    lose(job, "lost")
    turn_collecting()
    assert services.cancel(seen, acting_user=Actor.person(ann)).state == "cancelled"
    assert not Workload.objects.filter(finished_at=None).exists()


def test_a_state_that_cannot_follow_is_not_written(job: BatchJob, asking: Asking) -> None:
    asking.get("job/")
    assert working.give_up(job, message="No.", remedy="")
    job.refresh_from_db()
    assert not transitions.succeed(job)
    assert not transitions.begin(job)


@pytest.fixture
def turn_collecting() -> Callable[[], None]:
    def once() -> None:
        # Nothing was placed anywhere, so no host has to hand anything in.
        assert collecting.collect() == 1

    return once

"""What a scoring process keeps to itself, and how much of it the platform takes: the program over the real views."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from django.test import Client
from modelwright_runtime.scoring import limits
from modelwright_runtime.scoring.client import Platform
from modelwright_runtime.scoring.errors import ScoringError
from modelwright_runtime.scoring.files import Chunk
from modelwright_runtime.scoring.work import Work
from modelwright_runtime.server.results import Outcome

from models.batch import sources, working
from models.batch.models import BatchJob
from models.endpoints import services as endpoints
from models.endpoints.models import Endpoint
from models.predictions.models import Prediction
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.core.errors import Conflict, ValidationFailed
from modelwright.storage.bounded import BoundedReader
from modelwright.storage.settings import blob_store
from projects.models import Project
from tests.batch.test_work import PART, Asking, header, token_of

SYSTEM = Actor.system("tests")
Score = Callable[..., BatchJob]


class Nearby(Platform):
    """The platform in the same process, where a request takes no connection."""

    def __init__(self, token: str) -> None:
        super().__init__("", token)
        self._client = Client(headers={"Authorization": f"Bearer {token}"})

    def _once(self, method: str, path: str, read: Callable[[Any], Any], body: Any, size: int | None) -> Any:
        data: Any = body() if callable(body) else body
        content = data if isinstance(data, bytes) else data.read() if data else b""
        answer: Any = self._client.generic(method, path, content, "application/octet-stream")
        told = b"".join(answer.streaming_content) if answer.streaming else answer.content
        if answer.status_code >= 400:
            raise HTTPError(path, answer.status_code, "", answer.headers, io.BytesIO(told))
        stream: Any = io.BytesIO(told)
        stream.headers = answer.headers
        return read(stream)


class Tall:
    """Says of each row how many columns it has."""

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        return Outcome([f"={len(columns)}" for _ in rows])


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """Do the whole job in a folder of its own; the job as it then is."""
    monkeypatch.chdir(tmp_path)

    def whole(job: BatchJob, model: Any = None) -> BatchJob:
        platform = Nearby(token_of(job))
        Work(platform, platform.job(), model or Tall()).run()
        job.refresh_from_db()
        return job

    return whole


@pytest.fixture
def plain_version(version: ModelVersion) -> ModelVersion:
    """The version, as if its model took two texts."""
    inputs = [{"name": name, "type": "string", "required": True} for name in ("city", "card")]
    ModelVersion.objects.filter(pk=version.pk).update(signature={"inputs": inputs})
    version.refresh_from_db()
    return version


def test_a_broken_line_puts_no_redacted_value_on_record(
    start: Any, score: Score, plain_version: ModelVersion, project: Project
) -> None:
    endpoint: Endpoint = endpoints.create_endpoint(project=project, name="wine", acting_user=SYSTEM)
    Endpoint.objects.filter(pk=endpoint.pk).update(redacted_columns=["card"])
    endpoint.refresh_from_db()
    lines = "id,city,card,note\n1,Rome,4111,x\n4222,y\n3,Oslo,4333\n5,Bern,4444,z\n"
    job = score(start(lines, model_version=plain_version, endpoint=endpoint, key_columns=["id"]))
    assert (job.state, job.rows_done, job.rows_failed) == ("succeeded", 4, 2)
    recorded = Prediction.objects.filter(deployment_id=job.pk).order_by("id")
    assert [each.inputs[0].get("city") for each in recorded] == ["Rome", None, None, "Bern"]
    assert [each.inputs for each in recorded][1:3] == [[{}], [{}]]
    output = blob_store().read(job.output_sha256).decode()
    said = [*(str((each.inputs, each.error)) for each in recorded), str(job.error_sample), output]
    assert not [text for text in said if "4222" in text or "4333" in text]


def test_what_the_model_does_not_have_is_not_recorded_of_a_row_that_failed(
    start: Any, score: Score, plain_version: ModelVersion
) -> None:
    ModelVersion.objects.filter(pk=plain_version.pk).update(
        signature={"inputs": [{"name": "age", "type": "long", "required": True}]}
    )
    plain_version.refresh_from_db()
    job = score(start("id,age,diagnosis\n1,young,flu\n2,3\n", model_version=plain_version, key_columns=["id"]))
    recorded = Prediction.objects.filter(deployment_id=job.pk).order_by("id")
    assert [each.inputs for each in recorded] == [[{"id": "1", "age": "young"}], [{"id": "2", "age": "3"}]]


class Endless:
    """A stream without an end, which says how much of it was read."""

    taken = 0

    def read(self, size: int = -1, /) -> bytes:
        assert size >= 0
        self.taken += size
        return bytes(size)


def test_a_bounded_stream_is_read_to_its_end_and_no_further_than_its_limit() -> None:
    assert BoundedReader(io.BytesIO(b"12345"), 5, ValueError).read() == b"12345"
    reader = BoundedReader(io.BytesIO(b"12345"), 5, ValueError)
    assert [reader.read(3), reader.read(3), reader.read(3)] == [b"123", b"45", b""]
    stream = Endless()
    reader = BoundedReader(stream, 1000, ValueError)
    assert len(reader.read(1000)) == 1000
    with pytest.raises(ValueError, match="1000"):
        reader.read(1000)
    assert stream.taken == 1001


def test_an_upload_is_not_stored_beyond_the_limit_whatever_its_length_was_said_to_be(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_INPUT_BYTES", 3 * 1024**2)
    stream = Endless()
    with pytest.raises(ValidationFailed, match="3 MiB is the most"):
        sources.store_file(stream, 10)
    assert stream.taken == 3 * 1024**2 + 1


def test_an_upload_that_does_not_say_its_length_is_told_so(
    api: Callable[..., Client], ann: User, project: Project
) -> None:
    address = f"/api/v1/projects/{project.pk}/batch-inputs/?name=w.csv"
    sent = api(ann).post(address, b"a\n1\n", content_type="application/octet-stream", CONTENT_LENGTH="")
    assert sent.status_code == 422
    assert "does not say how long" in sent.json()["detail"]


def test_a_scoring_process_stores_no_more_than_can_come_of_its_rows(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start("alcohol\n" + "1\n" * 4, chunk_rows=2)
    working.begin(job)
    job.refresh_from_db()
    monkeypatch.setattr(working, "MAX_PART_BYTES", 1000)
    for first_row, error in ((3, Conflict), (1, ValidationFailed)):
        stream = Endless()
        with pytest.raises(error):
            working.store_chunk(job, 0, header(first_row), stream)
        # What does not follow is not even read.
        assert stream.taken == (1001 if first_row == 1 else 0)
    assert working.store_chunk(job, 0, header(1), io.BytesIO(PART))
    monkeypatch.setattr(working, "OUTPUT_MORE_BYTES", 100)
    stream = Endless()
    with pytest.raises(ValidationFailed, match="is longer than"):
        working.store_output(job, stream)
    assert stream.taken == 2 * len(PART) + 2 * 1024 + 100 + 1


def test_a_chunk_that_is_too_much_to_parse_is_refused(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = start("alcohol\n" + "1\n" * 4, chunk_rows=2)
    asking = Asking(token_of(job))
    asking.get("job/")
    deep: Any = 1.0
    for _ in range(limits.MAX_DEPTH + 2):
        deep = [deep]
    many: list[list[Any]] = [[]] * 30
    for changes in ({"records": [[deep], [1.0]]}, {"predictions": [deep, 1]}, {"classes": ["a", "b", *many]}):
        monkeypatch.setattr(limits, "MAX_HOLDERS", 20 if "classes" in changes else 10**6)
        assert asking.chunk(0, 1, **changes).json()["detail"] == "It is no chunk."
    client = Client(headers={"Authorization": f"Bearer {token_of(job)}"})
    long = struct.pack(">I", limits.MAX_HEADER_BYTES + 1)
    assert client.post("/scoring/chunks/0/", long, content_type="application/octet-stream").status_code == 422
    monkeypatch.undo()
    # What cannot follow, and what is there already, is not even looked at.
    assert client.post("/scoring/chunks/1/", long, content_type="application/octet-stream").status_code == 409
    client = Client(headers={"Authorization": f"Bearer {(token := token_of(job))}"})
    assert Asking(token).chunk(0, 1, records=[[deep[0][0]], [1.0]]).status_code == 201
    assert client.post("/scoring/chunks/0/", long, content_type="application/octet-stream").status_code == 200


def test_a_chunk_is_cut_where_it_is_too_much_at_once(
    start: Any, score: Score, plain_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_HEADER_BYTES", 1000)
    lines = "id,city,card\n" + "".join(f"{row},{'x' * 300},4\n" for row in range(1, 8)) + "8,y\n9,z,4\n"
    job = score(start(lines, model_version=plain_version, key_columns=["id"]))
    assert (job.state, job.rows_done, job.rows_failed) == ("succeeded", 9, 1)
    assert job.chunks_done > 2
    assert [each["row"] for each in job.error_sample] == [8]
    rows = blob_store().read(job.output_sha256).decode().splitlines()[1:]
    assert [row.split(",")[:3] for row in rows] == [
        [str(row), str(row), "" if row == 8 else "'=2"] for row in range(1, 10)
    ]
    recorded = Prediction.objects.filter(deployment_id=job.pk).order_by("id")
    assert [str(each.pk) for each in recorded] == [row.split(",")[3] for row in rows]
    other = start(f"city,card\na,b\n{'x' * 2000},4\n", model_version=plain_version)
    with pytest.raises(ScoringError, match="Row 2 is too large"):
        score(other)


def test_a_part_of_a_chunk_has_its_own_broken_rows_and_last_key() -> None:
    part = Chunk([{"a": row} for row in range(5)], {1: "x", 3: "y"}, list("abcde")).part(2, 4)
    assert (part.rows, part.broken, part.last_key) == ([{"a": 2}, {"a": 3}], {1: "y"}, "d")


class Deep:
    """Answers more levels than can be told for the first row."""

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        deep: Any = 1
        for _ in range(2000):
            deep = [deep]
        return Outcome([deep, *(1 for _ in rows[1:])])


def test_what_is_nested_too_deeply_is_the_trouble_of_its_row(
    start: Any, score: Score, plain_version: ModelVersion
) -> None:
    ModelVersion.objects.filter(pk=plain_version.pk).update(signature={"inputs": [{"name": "a", "type": "array"}]})
    plain_version.refresh_from_db()
    job = score(start(f"a\n1\n{'[' * 5000}\n{'[' * 70 + ']' * 70}\n2\n", model_version=plain_version), Deep())
    assert (job.state, job.rows_done, job.rows_failed) == ("succeeded", 4, 3)
    assert [each["row"] for each in job.error_sample] == [1, 2, 3]

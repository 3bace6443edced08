"""Uploaded files that nobody uses are deleted after the days that an administrator set, and nothing else with them."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from models.batch import expiring, services
from models.batch.models import BatchInput, BatchJob
from models.batch.sources import Wanted
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, Unavailable, ValidationFailed
from modelwright.storage.settings import blob_store, upload_store
from projects.models import Project
from tests.jobs.servers import test_database_url as database_url
from tests.models_support import make_project

SYSTEM = Actor.system("tests")
DAYS = timedelta(days=30)
ROWS = b"alcohol\n1\n"

# Deleting waits for nobody who uploads, so what holds its lock matters: each test writes for real.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _days(settings: Any, data: Any) -> None:
    settings.UPLOAD_RETENTION_DAYS = DAYS.days


def add(project: Project, content: bytes = ROWS, *, age: timedelta = 2 * DAYS) -> BatchInput:
    """A file that was uploaded so long ago."""
    made = services.add_input(project, name="rows.csv", stream=io.BytesIO(content), acting_user=SYSTEM)
    BatchInput.objects.filter(pk=made.pk).update(created_at=timezone.now() - age)
    return made


def is_there(file: BatchInput) -> bool:
    """Whether its content can be read; the row says the same."""
    file.refresh_from_db()
    assert upload_store().has(file.sha256) is (file.deleted_at is None)
    return file.deleted_at is None


def test_a_file_that_nobody_used_is_deleted_and_the_log_says_so(project: Project) -> None:
    old, young = add(project), add(project, b"alcohol\n2\n", age=DAYS - timedelta(hours=1))
    assert expiring.tick() == 1
    assert (is_there(old), is_there(young)) == (False, True)
    event = AuditEvent.objects.get(action="batch-input.deleted")
    assert (event.actor_name, event.target_id, event.project_id) == ("retention of uploads", str(old.pk), project.pk)
    assert (event.after or {})["sha256"] == old.sha256
    assert expiring.tick() == 0


def test_without_the_setting_nothing_is_deleted(project: Project, settings: Any) -> None:
    settings.UPLOAD_RETENTION_DAYS = 0
    old = add(project, age=1000 * DAYS)
    assert expiring.tick() == 0
    assert is_there(old)


@pytest.mark.parametrize(
    ("state", "age", "is_kept"),
    [
        ("queued", 2 * DAYS, True),
        ("running", 2 * DAYS, True),
        ("succeeded", DAYS / 2, True),
        ("failed", 2 * DAYS, False),
        ("succeeded", 2 * DAYS, False),
    ],
)
def test_a_job_keeps_its_file_while_it_goes_on_and_so_long_after(
    start: Any, project: Project, state: str, age: timedelta, is_kept: bool
) -> None:
    file = add(project, age=3 * DAYS)
    job = start(source=Wanted("upload", input=file.pk))
    BatchJob.objects.filter(pk=job.pk).update(
        state=state, created_at=timezone.now() - 3 * DAYS, ended_at=timezone.now() - age
    )
    assert expiring.tick() == (0 if is_kept else 1)
    assert is_there(file) is is_kept


def test_what_a_model_or_run_holds_stays_though_its_content_is_the_same(project: Project) -> None:
    held = blob_store().put_bytes(ROWS)
    file = add(project)
    assert file.sha256 == held.sha256
    assert expiring.tick() == 1
    assert not is_there(file)
    assert blob_store().read(held.sha256) == ROWS


def test_the_same_content_is_kept_for_whoever_still_uses_it(project: Project, make_user: Any) -> None:
    make_user("bea")
    mine, theirs = add(project), add(make_project("beer", bea="admin"), age=timedelta(days=1))
    assert mine.sha256 == theirs.sha256
    assert expiring.tick() == 1
    mine.refresh_from_db()
    assert mine.deleted_at is not None
    assert upload_store().read(theirs.sha256) == ROWS
    again = add(project, age=timedelta(0))
    assert is_there(again)


def test_a_file_is_not_deleted_while_another_is_uploaded(project: Project) -> None:
    old = add(project)
    with psycopg.connect(database_url()) as other:
        other.execute("SELECT pg_advisory_xact_lock_shared(%s)", [expiring._LOCK])
        assert expiring.tick() == 0
        assert is_there(old)
    assert expiring.tick() == 1


def test_an_upload_and_a_start_hold_the_files(project: Project, start: Any) -> None:
    # Other tests may hold it at this moment, in a database of their own.
    held = """
        SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = mod(%s::bigint, 4294967296)
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    seen = []

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            with connection.cursor() as cursor:
                cursor.execute(held, [expiring._LOCK])
                seen.append(cursor.fetchone()[0])
            return super().read(size)

    services.add_input(project, name="rows.csv", stream=Slow(ROWS), acting_user=SYSTEM)
    assert set(seen) == {1}


def test_a_store_that_is_away_leaves_it_for_the_next_round(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    old = add(project)

    class Away:
        def delete(self, sha256: str) -> None:
            raise Unavailable("The store does not answer.", remedy="Start it.")

    with monkeypatch.context() as patched:
        patched.setattr(expiring, "upload_store", Away)
        assert expiring.tick() == 0
    assert is_there(old)
    assert not AuditEvent.objects.filter(action="batch-input.deleted").exists()
    assert expiring.tick() == 1


def test_jobs_over_it_say_that_it_is_gone(
    start: Any, project: Project, ann: User, api: Callable[..., Client], browser_client: Callable[..., Client]
) -> None:
    file = add(project, age=3 * DAYS)
    wanted = Wanted("upload", input=file.pk)
    job = start(source=wanted)
    BatchJob.objects.filter(pk=job.pk).update(
        state="failed", created_at=timezone.now() - 3 * DAYS, ended_at=timezone.now() - 2 * DAYS
    )
    expiring.tick()
    job.refresh_from_db()
    with pytest.raises(Conflict, match=r"rows.csv, which it scored, was deleted") as refused:
        services.retry(job, acting_user=Actor.person(ann))
    assert refused.value.remedy
    with pytest.raises(ValidationFailed, match="nobody had used it"):
        start(source=wanted)
    page = browser_client(ann).get(f"/batch-jobs/{job.pk}/").content.decode()
    assert "; deleted" in page
    (listed,) = api(ann).get(f"/api/v1/projects/{project.pk}/batch-inputs/").json()["results"]
    assert listed["deleted_at"]


def test_what_was_uploaded_before_lies_among_all_blobs_and_stays(start: Any, project: Project) -> None:
    blob = blob_store().put_bytes(ROWS)
    file = BatchInput.objects.create(
        project=project, name="rows.csv", format="csv", sha256=blob.sha256, size=blob.size, is_apart=False
    )
    BatchInput.objects.filter(pk=file.pk).update(created_at=timezone.now() - 9 * DAYS)
    assert expiring.tick() == 0
    assert start(source=Wanted("upload", input=file.pk)).source["apart"] is False

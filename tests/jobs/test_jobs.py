"""Jobs: made by people, kept in step with the manifest, scheduled."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs import scheduler
from jobs.models import Job, Run
from jobs.schedules import next_times
from jobs.services import change_job, create_job, delete_job, sync_jobs
from modelwright.accounts.actors import Actor
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, NotFound, PermissionRefused, PreconditionFailed, ValidationFailed
from projects.models import Project
from tests.jobs.conftest import MANIFEST

SYSTEM = Actor.system("tests")


def test_manifest_makes_jobs_once(project: Project) -> None:
    ingest, train = sync_jobs(project, acting_user=SYSTEM)
    assert (ingest.name, ingest.script, ingest.arguments) == ("ingest", "train.py", ["--rows", "100"])
    assert ingest.profile is not None
    assert ingest.profile.name == "small"
    assert ingest.timeout_seconds == 600
    assert [job.pk for job in sync_jobs(project, acting_user=SYSTEM)] == [ingest.pk, train.pk]
    assert AuditEvent.objects.filter(action="job.created").count() == 2
    assert AuditEvent.objects.filter(action="job.changed").count() == 0


def test_what_a_person_changed_outlives_the_next_commit(project: Project, commit_files: Any) -> None:
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    change_job(ingest, timeout_seconds=30, acting_user=SYSTEM)
    commit_files(project, {"modelwright.yaml": MANIFEST.replace("10m", "20m").replace("100]", "200]")})
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    assert ingest.timeout_seconds == 30
    assert ingest.arguments == ["--rows", "200"]


def test_a_step_that_is_gone_is_switched_off_and_comes_back(project: Project, commit_files: Any) -> None:
    sync_jobs(project, acting_user=SYSTEM)
    commit_files(project, {"modelwright.yaml": "name: churn\nsteps: []\n"})
    assert sync_jobs(project, acting_user=SYSTEM) == []
    assert not Job.objects.filter(project=project, is_active=True).exists()
    commit_files(project, {"modelwright.yaml": MANIFEST})
    assert all(job.is_active for job in sync_jobs(project, acting_user=SYSTEM))


def test_a_persons_job_keeps_its_name(project: Project) -> None:
    own = create_job(project, name="ingest", script="other.py", acting_user=SYSTEM)
    sync_jobs(project, acting_user=SYSTEM)
    assert Job.objects.get(pk=own.pk).script == "other.py"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"script": "../train.py"}, "script"),
        ({"script": "/etc/x.py"}, "script"),
        ({"script": "train.sh"}, "script"),
        ({"script": ""}, "script"),
        ({"script": "train.py", "timeout_seconds": 0}, "timeout_seconds"),
        ({"script": "train.py", "schedule": "every day"}, "schedule"),
        ({"script": "train.py", "schedule": "* * * * * *"}, "schedule"),
        ({"script": "train.py", "schedule": "0 0 30 2 *"}, "schedule"),
        ({"script": "train.py", "variables": {"MLFLOW_TRACKING_URI": "http://x"}}, "variables.MLFLOW_TRACKING_URI"),
        ({"script": "train.py", "variables": {"1A": "x"}}, "variables.1A"),
        ({"script": "train.py", "arguments": ["a\0"]}, "arguments[0]"),
        ({"script": "train.py", "runs_after": "nothing"}, "runs_after"),
    ],
)
def test_wrong_jobs_are_refused_by_field(project: Project, changes: Any, field: str) -> None:
    with pytest.raises((ValidationFailed, NotFound)) as caught:
        create_job(project, name="own", acting_user=SYSTEM, **changes)
    assert field in [error.field for error in caught.value.errors]


def test_names_are_taken_once_in_a_project(project: Project, make_project: Any) -> None:
    create_job(project, name="own", script="a.py", acting_user=SYSTEM)
    with pytest.raises(Conflict):
        create_job(project, name="own", script="a.py", acting_user=SYSTEM)
    create_job(make_project("other"), name="own", script="a.py", acting_user=SYSTEM)


def test_jobs_cannot_wait_for_each_other(project: Project) -> None:
    first = create_job(project, name="first", script="a.py", acting_user=SYSTEM)
    create_job(project, name="second", script="a.py", runs_after="first", acting_user=SYSTEM)
    with pytest.raises(ValidationFailed):
        change_job(first, runs_after="second", acting_user=SYSTEM)
    with pytest.raises(ValidationFailed):
        change_job(first, runs_after="first", acting_user=SYSTEM)


def test_a_change_on_an_old_revision_is_refused(project: Project) -> None:
    job = create_job(project, name="own", script="a.py", acting_user=SYSTEM)
    change_job(job, description="one", expected_revision=1, acting_user=SYSTEM)
    with pytest.raises(PreconditionFailed):
        change_job(job, description="two", expected_revision=1, acting_user=SYSTEM)


def test_roles_decide_who_may_change_jobs(project: Project, make_user: Any, make_project: Any) -> None:
    for name in ("vic", "con"):
        make_user(name)
    other = make_project("roles", vic="viewer", con="contributor")
    people = {m.user.username: Actor.person(m.user) for m in other.memberships.select_related("user")}
    with pytest.raises(PermissionRefused):
        create_job(other, name="own", script="a.py", acting_user=people["vic"])
    job = create_job(other, name="own", script="a.py", acting_user=people["con"])
    with pytest.raises(PermissionRefused):
        delete_job(job, acting_user=people["vic"])
    with pytest.raises(NotFound):
        create_job(project, name="own", script="a.py", acting_user=people["con"])


def test_next_times_are_in_utc_and_in_order() -> None:
    start = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    assert next_times("30 6 * * 1-5", 2, after=start) == [
        datetime(2026, 11, 27, 6, 30, tzinfo=UTC),
        datetime(2026, 11, 30, 6, 30, tzinfo=UTC),
    ]


def due_job(project: Project, **changes: Any) -> Job:
    """A job of the project that is due."""
    job = create_job(project, name="nightly", script="train.py", schedule="0 3 * * *", acting_user=SYSTEM, **changes)
    Job.objects.filter(pk=job.pk).update(next_run_at=timezone.now() - timedelta(seconds=1))
    return job


def test_a_due_job_is_started_once(project: Project, platform_python: Any) -> None:
    job = due_job(project)
    assert scheduler.tick() == 1
    assert scheduler.tick() == 0
    run = Run.objects.get(job=job)
    assert run.trigger == "schedule"
    job.refresh_from_db()
    assert job.next_run_at is not None
    assert job.next_run_at > timezone.now()


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_start_one_run(project: Project, platform_python: Any) -> None:
    job = due_job(project)

    def tick() -> None:
        try:
            scheduler.tick()
        finally:
            connection.close()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Run.objects.filter(job=job).count() == 1


def test_a_switched_off_job_is_not_due(project: Project) -> None:
    job = due_job(project)
    change_job(job, is_active=False, acting_user=SYSTEM)
    assert scheduler.tick() == 0


def test_a_long_missed_time_is_passed_over(project: Project) -> None:
    job = due_job(project)
    Job.objects.filter(pk=job.pk).update(next_run_at=timezone.now() - timedelta(days=2))
    assert scheduler.tick() == 0
    job.refresh_from_db()
    assert job.next_run_at is not None
    assert job.next_run_at > timezone.now()


def test_a_job_that_cannot_be_started_says_why(project: Project, platform_python: Any) -> None:
    job = due_job(project)
    change_job(job, script="gone.py", acting_user=SYSTEM)
    assert scheduler.tick() == 0
    job.refresh_from_db()
    assert "There is no file gone.py" in job.problem
    change_job(job, script="train.py", acting_user=SYSTEM)
    Job.objects.filter(pk=job.pk).update(next_run_at=timezone.now())
    assert scheduler.tick() == 1
    job.refresh_from_db()
    assert job.problem == ""

"""Secrets of a project in its runs: given, masked, on record, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from jobs.models import Run
from jobs.services import RunRequest, change_job, retrying, start_run, sync_jobs
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import specs, transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.models import Workload
from modelwright.compute.sealed import unseal
from projects.models import Project, SecretRead
from projects.variables.services import set_variable
from tests.compute.support import make_host

SYSTEM = Actor.system("tests")
VALUE = "correct horse battery"
pytestmark = pytest.mark.usefixtures("platform_python")


@pytest.fixture
def secrets(project: Project) -> None:
    set_variable(project, name="API_KEY", value=VALUE, acting_user=SYSTEM)
    set_variable(project, name="KEY_FILE", value="a private key", delivery="file", acting_user=SYSTEM)
    set_variable(project, name="REGION", value="north-west", is_secret=False, acting_user=SYSTEM)


def started(project: Project, actor: Actor = SYSTEM, **changes: Any) -> Run:
    return start_run(project, RunRequest(script="train.py", **changes), acting_user=actor)


def placed(run: Run) -> Workload:
    workload = Workload.objects.get(pk=run.workload_id)
    host = make_host("here")
    assert transitions.place(workload, host, environment=None) is not None
    return Workload.objects.get(pk=run.workload_id)


@pytest.mark.usefixtures("secrets")
def test_secrets_reach_the_workload_and_no_plain_column(project: Project) -> None:
    run = started(project)
    workload = placed(run)
    given = unseal(workload.secrets)
    assert given.variables["API_KEY"] == VALUE
    assert given.variables["REGION"] == "north-west"
    assert given.files == {"KEY_FILE": "a private key"}
    spec = specs.make_spec(workload)
    assert spec.secret_files == {"KEY_FILE": "a private key"}
    assert spec.environment["KEY_FILE"].endswith(f"{workload.key_name}/secrets/KEY_FILE")
    assert {VALUE, "a private key", given.variables["MLFLOW_TRACKING_TOKEN"]} <= set(spec.masked)
    assert "north-west" not in spec.masked
    kept = json.dumps([*Workload.objects.values(), *AuditEvent.objects.values()], default=str)
    assert VALUE not in kept
    assert "a private key" not in kept
    assert VALUE not in repr(spec) + repr(given)


@pytest.mark.usefixtures("secrets")
def test_who_was_given_which_secret_is_on_record(project: Project, admin: User) -> None:
    run = started(project, Actor.person(admin))
    read = SecretRead.objects.get()
    assert (read.names, read.person, read.person_id) == (["API_KEY", "KEY_FILE"], admin.username, admin.pk)
    assert (read.workload_id, read.attempt, read.subject_id) == (run.workload_id, 1, run.pk)
    assert (read.subject_kind, read.subject) == ("run", str(run))


@pytest.mark.usefixtures("secrets")
def test_each_attempt_is_on_record_for_whom_it_runs(
    project: Project, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It never ran, so MLflow knows nothing of it that would have to be ended.
    monkeypatch.setattr(retrying, "close_tracked_runs", lambda *_: None)
    run = started(project, Actor.person(admin), retries=1)
    workload = placed(run)
    assert workload.fence is not None
    assert transitions.begin_start(workload.pk, workload.fence)
    assert end_workload(workload.pk, workload.fence, cause=Cause.LOST, facts={})
    set_variable(project, name="API_KEY", value="another battery", acting_user=SYSTEM)
    assert retrying.retry(Run.objects.get(pk=run.pk), acting_user=SYSTEM)
    first, second = SecretRead.objects.order_by("id")
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.person == admin.username
    again = Run.objects.get(pk=run.pk).workload
    assert second.workload_id == again.pk
    assert "another battery" in unseal(again.secrets).masked


@pytest.mark.usefixtures("secrets")
def test_what_the_job_sets_itself_is_not_given_and_not_on_record(project: Project) -> None:
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    ingest = change_job(ingest, variables={"API_KEY": "of the job", "KEY_FILE": "mine"}, acting_user=SYSTEM)
    run = start_run(project, RunRequest(job=ingest), acting_user=SYSTEM)
    assert set(unseal(run.workload.secrets).variables) & {"API_KEY", "KEY_FILE"} == set()
    assert not SecretRead.objects.exists()


@pytest.mark.usefixtures("secrets")
def test_the_record_only_grows(project: Project) -> None:
    started(project)
    table = SecretRead._meta.db_table
    for statement in (f"UPDATE {table} SET person = 'nobody'", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert SecretRead.objects.count() == 1


@pytest.mark.usefixtures("secrets")
def test_the_record_is_on_the_secrets_page_and_in_rest(project: Project, admin: User) -> None:
    run = started(project, Actor.person(admin))
    client = Client()
    client.force_login(admin)
    page = client.get(f"/projects/{project.pk}/variables/API_KEY/").content.decode()
    assert f'href="/runs/{run.pk}/"' in page
    assert VALUE not in page
    address = f"/api/v1/projects/{project.pk}/secret-reads/"
    found = client.get(f"{address}?name=API_KEY").json()["results"]
    assert [(one["subject"], one["names"]) for one in found] == [(str(run), ["API_KEY", "KEY_FILE"])]
    assert client.get(f"{address}?name=REGION").json()["results"] == []
    assert client.get(f"{address}?workload=x").status_code == 422


@pytest.mark.usefixtures("secrets")
def test_auditors_see_the_record_of_all_projects_and_others_do_not(
    project: Project, admin: User, auditor: User, stranger: User
) -> None:
    run = started(project, Actor.person(admin))
    client = Client()
    client.force_login(auditor)
    page = client.get(f"/secret-reads/?project={project.pk}&name=API_KEY").content.decode()
    assert str(run) in page
    assert "KEY_FILE" in page
    found = client.get(f"/api/v1/secret-reads/?project={project.pk}&person={admin.username}").json()["results"]
    assert [one["project_name"] for one in found] == [project.name]
    assert client.get("/api/v1/secret-reads/?person=nobody").json()["results"] == []
    client.force_login(stranger)
    assert client.get("/secret-reads/").status_code == 403
    assert client.get("/api/v1/secret-reads/").status_code == 403

"""Starting and cancelling runs, without executing them."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection

from jobs.models import Run
from jobs.services import RunRequest, change_job, request_cancel, start_run, sync_jobs
from modelwright.accounts.actors import Actor
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import Workload
from modelwright.core.crypto import decrypt
from modelwright.core.errors import Conflict, NotFound, PermissionRefused, PlatformError, ValidationFailed
from projects import source
from projects.models import Project
from projects.variables.services import set_variable

SYSTEM = Actor.system("tests")
pytestmark = pytest.mark.usefixtures("platform_python")


def test_a_run_is_queued_with_its_workload_and_audit_row(project: Project) -> None:
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    request = RunRequest(job=ingest, parameters={"depth": 3, "fast": True, "shift": -2, "name": "a b"})
    run = start_run(project, request, acting_user=SYSTEM)
    workload = Workload.objects.get(pk=run.workload_id)
    assert run.state == "queued"
    assert str(run) == "ingest #1"
    assert run.commit == source.head(project)
    assert workload.spec["command"] == [
        *("{python}", "train.py", "--rows", "100"),
        *("--depth", "3", "--fast", "true", "--shift=-2", "--name", "a b"),
    ]
    assert (workload.cpu, workload.timeout_seconds) == (0.5, 600)
    assert workload.environment_note.startswith("Reused")
    environment = workload.spec["environment"]
    assert environment["MLFLOW_TRACKING_URI"] == "{web}/mlflow"
    assert environment["MLFLOW_EXPERIMENT_NAME"] == "ingest"
    assert json.loads(environment["MODELWRIGHT_PARAMETERS"]) == {"depth": 3, "fast": True, "shift": -2, "name": "a b"}
    event = AuditEvent.objects.get(action="run.created")
    assert event.target_id == str(run.pk)
    assert event.project_id == project.pk


def test_the_token_is_only_in_the_secrets(project: Project) -> None:
    run = start_run(project, RunRequest(script="train.py"), acting_user=SYSTEM)
    workload = run.workload
    assert "MLFLOW_TRACKING_TOKEN" not in json.dumps(workload.spec)
    token = json.loads(decrypt(workload.secrets))["MLFLOW_TRACKING_TOKEN"]
    assert token.startswith("mwr_")
    assert token not in json.dumps(list(AuditEvent.objects.values("before", "after")), default=str)
    assert run.token_digest != token


def test_variables_of_the_project_reach_the_run_but_not_the_platforms_names(project: Project) -> None:
    set_variable(project, name="API_KEY", value="hidden", acting_user=SYSTEM)
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    ingest = change_job(ingest, variables={"API_KEY": "of the job", "COLOUR": "red"}, acting_user=SYSTEM)
    plain = start_run(project, RunRequest(script="train.py"), acting_user=SYSTEM).workload
    of_job = start_run(project, RunRequest(job=ingest), acting_user=SYSTEM).workload
    assert json.loads(decrypt(plain.secrets))["API_KEY"] == "hidden"
    assert "API_KEY" not in json.loads(decrypt(of_job.secrets))
    assert of_job.spec["environment"]["API_KEY"] == "of the job"
    assert of_job.spec["environment"]["COLOUR"] == "red"


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest(script="gone.py"),
        RunRequest(script="../train.py"),
        RunRequest(script=""),
        RunRequest(script="train.py", commit="0" * 40),
        RunRequest(script="train.py", commit="main"),
        RunRequest(script="train.py", parameters={"a b": 1}),
        RunRequest(script="train.py", parameters={"a": [1]}),
        RunRequest(script="train.py", parameters={"a": float("nan")}),
        RunRequest(script="train.py", parameters={"a": "\0"}),
        RunRequest(script="train.py", parameters={f"p{i}": i for i in range(101)}),
        RunRequest(script="train.py", profile="enormous"),
    ],
    ids=repr,
)
def test_wrong_requests_leave_nothing_behind(project: Project, request_: RunRequest) -> None:
    with pytest.raises(PlatformError) as caught:
        start_run(project, request_, acting_user=SYSTEM)
    assert isinstance(caught.value, ValidationFailed | NotFound)
    assert caught.value.remedy
    assert not Run.objects.exists()
    assert not Workload.objects.exists()


def test_a_switched_off_job_is_not_started(project: Project) -> None:
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    ingest = change_job(ingest, is_active=False, acting_user=SYSTEM)
    with pytest.raises(Conflict):
        start_run(project, RunRequest(job=ingest), acting_user=SYSTEM)


def test_an_older_commit_is_run_as_it_was(project: Project, commit_files: Any) -> None:
    first = source.head(project)
    commit_files(project, {"train.py": None, "fit.py": "print(2)"})
    assert start_run(project, RunRequest(script="train.py", commit=first), acting_user=SYSTEM).commit == first
    with pytest.raises(NotFound):
        start_run(project, RunRequest(script="train.py"), acting_user=SYSTEM)


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gaps_and_no_doubles_under_concurrency(project: Project) -> None:
    def start() -> None:
        try:
            start_run(project, RunRequest(script="train.py"), acting_user=SYSTEM)
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(Run.objects.values_list("number", flat=True)) == list(range(1, 9))


def test_a_queued_run_is_cancelled_at_once(project: Project) -> None:
    run = start_run(project, RunRequest(script="train.py"), acting_user=SYSTEM)
    request_cancel(run, reason="not needed", acting_user=SYSTEM)
    run = Run.objects.get(pk=run.pk)
    assert run.state == "cancelled"
    assert AuditEvent.objects.get(action="run.cancel-requested").reason == "not needed"
    with pytest.raises(Conflict):
        request_cancel(run, acting_user=SYSTEM)


def test_roles_decide_who_may_start_and_cancel(make_project: Any, commit_files: Any, make_user: Any) -> None:
    for name in ("vic", "opa"):
        make_user(name)
    project = make_project("roles", vic="viewer", opa="operator")
    commit_files(project, {"train.py": "print(1)"})
    people = {m.user.username: Actor.person(m.user) for m in project.memberships.select_related("user")}
    request = RunRequest(script="train.py")
    with pytest.raises(PermissionRefused):
        start_run(project, request, acting_user=people["vic"])
    run = start_run(project, request, acting_user=people["opa"])
    with pytest.raises(PermissionRefused):
        request_cancel(run, acting_user=people["vic"])
    request_cancel(run, acting_user=people["opa"])
    with pytest.raises(NotFound):
        start_run(project, request, acting_user=Actor.person(make_user("out")))

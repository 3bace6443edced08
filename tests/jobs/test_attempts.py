"""Runs that are tried again: which ones, what of the attempt before still counts, what people see of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from jobs.collector import collect_ended
from jobs.failures import explain
from jobs.models import Attempt, Job, Run
from jobs.selectors import run_of_token
from jobs.services import RunRequest, change_job, create_job, request_cancel, retrying, start_run, start_unattended
from jobs.tracking.reader import tracked_runs
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.models import Workload
from modelwright.core.crypto import decrypt
from modelwright.core.errors import Conflict, ValidationFailed
from projects.models import Project
from tests.compute.support import make_host
from tests.jobs.test_tracking_isolation import V2, Tracker
from tests.jobs.turning import execute, fresh
from tests.ui.browser import check_page, sign_in

SYSTEM = Actor.system("tests")
JSON = "application/json"


def start(project: Project, **changes: Any) -> Run:
    return start_run(project, RunRequest(script="train.py", **changes), acting_user=SYSTEM)


def token_of(run: Run) -> str:
    secrets: dict[str, str] = json.loads(decrypt(fresh(run).workload.secrets))
    return secrets["MLFLOW_TRACKING_TOKEN"]


def end(run: Run, cause: Cause, detail: str = "") -> None:
    """The newest attempt ran on a host that is gone now, and ended so."""
    workload = fresh(run).workload
    away = make_host("away")
    transitions.host_state(away, to="offline")
    fence = transitions.place(workload, away, environment=None)
    assert fence is not None
    assert transitions.begin_start(workload.pk, fence)
    assert transitions.mark_running(workload.pk, fence, started_at=timezone.now())
    assert end_workload(workload.pk, fence, cause=cause, facts={"detail": detail})


@pytest.mark.usefixtures("platform_python")
class TestWhich:
    """Which ends are followed by another attempt."""

    @pytest.mark.parametrize(
        ("retries", "retry_failed", "cause", "follows"),
        [
            (0, False, Cause.LOST, False),
            (1, False, Cause.LOST, True),
            (1, False, Cause.FAILED, False),
            (1, True, Cause.FAILED, True),
            (1, True, Cause.SUCCEEDED, False),
            (1, True, Cause.TIMED_OUT, False),
            (1, True, Cause.OUT_OF_MEMORY, False),
            # Nobody asked for it: its host was stopped.
            (1, False, Cause.CANCELLED, True),
            (0, False, Cause.CANCELLED, False),
        ],
    )
    def test_lost_ones_and_where_that_is_wanted_failed_ones(
        self, project: Project, retries: int, retry_failed: bool, cause: Cause, follows: bool
    ) -> None:
        run = start(project, retries=retries, retry_failed=retry_failed)
        assert fresh(run).workload.spec["retryable"] is (retries > 0)
        end(run, cause)
        assert fresh(run).will_retry is follows
        assert fresh(run).state == ("queued" if follows else cause.value)
        assert (explain(fresh(run)) is None) is (follows or cause is Cause.SUCCEEDED)

    def test_not_what_never_ran_or_somebody_wanted_to_end(self, project: Project) -> None:
        never = start(project, retries=1, retry_failed=True)
        end_workload(never.workload_id, None, cause=Cause.FAILED, facts={"detail": "Its environment failed."})
        assert not fresh(never).will_retry
        for cause in (Cause.LOST, Cause.CANCELLED):
            wanted = start(project, retries=1)
            Workload.objects.filter(pk=wanted.workload_id).update(cancel_requested_at=timezone.now())
            end(wanted, cause)
            assert not fresh(wanted).will_retry

    def test_not_what_somebody_cancels_before_it_is_tried_again(self, project: Project) -> None:
        run = start(project, retries=1)
        end(run, Cause.LOST)
        seen = fresh(run)
        assert request_cancel(fresh(run), acting_user=SYSTEM).state == "lost"
        assert fresh(run).is_over
        assert not retrying._begin(seen, SYSTEM), "who looked before that begins nothing"
        assert fresh(run).attempt == 1

    def test_a_cancellation_ends_the_attempt_that_came_meanwhile(self, project: Project) -> None:
        run = start(project, retries=1)
        seen = fresh(run)
        end(run, Cause.LOST)
        assert retrying._begin(fresh(run), SYSTEM)
        request_cancel(seen, acting_user=SYSTEM)
        assert (fresh(run).attempt, fresh(run).state) == (2, "cancelled")

    def test_the_job_decides_unless_the_run_says_otherwise(self, project: Project) -> None:
        job = create_job(project, name="train", script="train.py", retries=3, retry_failed=True, acting_user=SYSTEM)
        assert start_unattended(RunRequest(job=job), job, acting_user=SYSTEM)
        own = start_run(project, RunRequest(job=job, retries=1, retry_failed=False), acting_user=SYSTEM)
        found = [(run.retries, run.retry_failed) for run in Run.objects.order_by("number")]
        assert found == [(3, True), (1, False)]
        assert [(one.number, one.workload_id) for one in own.attempts.all()] == [(1, own.workload_id)]

    @pytest.mark.parametrize("retries", [-1, 11])
    def test_there_is_a_most(self, project: Project, retries: int) -> None:
        with pytest.raises(ValidationFailed):
            start(project, retries=retries)
        job = create_job(project, name="train", script="train.py", acting_user=SYSTEM)
        with pytest.raises(ValidationFailed):
            change_job(job, retries=retries, acting_user=SYSTEM)


@pytest.mark.slow
@pytest.mark.usefixtures("platform_python", "tracking_files")
class TestNext:
    """The next attempt, with a real MLflow behind the real tracking address."""

    def test_a_lost_run_is_tried_again_and_only_its_last_end_counts(self, web: str, project: Project) -> None:
        run = start(project, retries=1, parameters={"depth": 3})
        follower = create_job(project, name="after", script="train.py", acting_user=SYSTEM)
        first = fresh(run).workload
        old = Tracker(web, token_of(run))
        opened = old.run(old.experiment())["info"]["run_id"]
        end(run, Cause.LOST, "Host away has not been heard from.\nGive it retries.")
        for _ in range(2):
            collect_ended()
        again = fresh(run)
        assert (again.attempt, again.state, again.workload.fence) == (2, "queued", None)
        assert again.workload.spec == {**first.spec, "retryable": False, "repeats": 1}, "no attempt is left"
        attempts = list(Attempt.objects.filter(run=run).order_by("number"))
        assert [one.number for one in attempts] == [1, 2]
        assert attempts[1].because == "Attempt 1 was lost. Host away has not been heard from."
        event = AuditEvent.objects.get(action="run.retried", target_id=str(run.pk))
        assert (event.before or {})["state"] == "lost"
        assert not AuditEvent.objects.filter(action="run.ended").exists(), "it has not ended"
        assert again.observed is None
        (tracked,) = tracked_runs(project.mlflow_workspace, run.pk)
        assert (tracked.mlflow_id, tracked.status) == (opened, "FAILED")
        ended = execute(run)
        assert (ended.state, ended.workload.host.name if ended.workload.host else "") == ("succeeded", "test-host")
        assert AuditEvent.objects.filter(action="run.ended", target_id=str(run.pk)).count() == 1
        assert not Run.objects.filter(job=follower).exists()

    def test_the_last_attempt_is_the_end(self, web: str, project: Project) -> None:
        run = start(project, retries=1)
        end(run, Cause.LOST)
        collect_ended()
        end(run, Cause.LOST, "Host away has not been heard from.\nGive it retries.")
        collect_ended()
        ended = fresh(run)
        assert (ended.attempt, ended.state) == (2, "lost")
        cause = explain(ended)
        assert cause is not None
        assert cause.message == "Host away has not been heard from."
        assert "retries" in cause.remedy
        assert AuditEvent.objects.get(action="run.ended").target_id == str(run.pk)
        with pytest.raises(Conflict):
            request_cancel(ended, acting_user=SYSTEM)

    def test_no_late_result_of_an_attempt_that_was_given_up_is_accepted(self, web: str, project: Project) -> None:
        run = start(project, retries=1)
        late = Tracker(web, token_of(run))
        experiment = late.experiment()
        info = late.run(experiment)["info"]
        calls: list[tuple[str, str, Any]] = [
            ("POST", f"{V2}/runs/log-metric", {"run_id": info["run_id"], "key": "auc", "value": 1, "timestamp": 1}),
            ("POST", f"{V2}/runs/log-batch", {"run_id": info["run_id"], "params": [{"key": "a", "value": "b"}]}),
            ("POST", f"{V2}/runs/update", {"run_id": info["run_id"], "status": "FINISHED"}),
            ("POST", f"{V2}/runs/create", {"experiment_id": experiment}),
            ("POST", f"{V2}/registered-models/create", {"name": "churn"}),
            ("POST", f"{V2}/model-versions/create", {"name": "churn", "source": f"runs:/{info['run_id']}/model"}),
            ("GET", f"{V2}/runs/get?run_id={info['run_id']}", None),
        ]
        end(run, Cause.LOST)
        assert {late.call(*call).status_code for call in calls} == {401}, "dead as soon as it is given up"
        collect_ended()
        assert fresh(run).attempt == 2
        assert {late.call(*call).status_code for call in calls} == {401}, "and when the next attempt is there"
        assert run_of_token(late.token) is None
        now = Tracker(web, token_of(run))
        assert now.token != late.token
        assert {now.call(*call).status_code for call in calls[-1:]} == {200}

    def test_what_a_lost_attempt_logged_is_told_from_what_the_next_one_did(
        self, web: str, project: Project, admin: User, browser_client: Callable[[User], Client], api: Any
    ) -> None:
        run = start(project, retries=1)

        def log(depth: int) -> str:
            attempt = Tracker(web, token_of(run))
            mlflow_id: str = attempt.run(attempt.experiment(f"train {depth}"))["info"]["run_id"]
            metrics = [{"key": "auc", "value": depth / 10, "timestamp": 1, "step": step} for step in (1, 2)]
            body = {"run_id": mlflow_id, "params": [{"key": "depth", "value": str(depth)}], "metrics": metrics}
            assert attempt.call("POST", f"{V2}/runs/log-batch", body).status_code == 200
            return mlflow_id

        first = log(3)
        end(run, Cause.LOST)
        collect_ended()
        second = log(5)
        found = {one.mlflow_id: one for one in tracked_runs(project.mlflow_workspace, run.pk)}
        assert {id_: (one.attempt, one.parameters) for id_, one in found.items()} == {
            first: (1, {"depth": "3"}),
            second: (2, {"depth": "5"}),
        }
        rest = api(admin)
        told = rest.get(f"/api/v1/runs/{run.pk}/metrics/").json()["results"]
        assert [(one["attempt"], one["parameters"]["depth"]) for one in told] == [(1, "3"), (2, "5")]
        lines = rest.get(f"/api/v1/runs/{run.pk}/metrics/history/?key=auc").json()["series"]
        assert {line["mlflow_id"]: line["attempt"] for line in lines} == {first: 1, second: 2}
        person = browser_client(admin)
        page = person.get(f"/runs/{run.pk}/").content.decode()
        assert page.count("attempt 1, which was given up") == 1
        assert page.count('<span class="muted small">attempt 2</span>') == 1
        chart = person.get(f"/runs/{run.pk}/chart/?key=auc").json()
        assert [line["label"].rpartition(", ")[2] for line in chart["series"]] == ["attempt 1", "attempt 2"]

    def test_people_see_every_attempt_with_its_log(
        self, web: str, project: Project, admin: User, browser_client: Callable[[User], Client], api: Any
    ) -> None:
        run = start(project, retries=2)
        person, rest = browser_client(admin), api(admin)
        assert "Log of this attempt" not in person.get(f"/runs/{run.pk}/").content.decode()
        first = fresh(run).workload
        end(run, Cause.LOST, "Host away has not been heard from.")
        collect_ended()
        first.refresh_from_db()
        folder = _log_folder(first)
        (folder / "log").write_text("the first attempt\n")
        page = person.get(f"/runs/{run.pk}/").content.decode()
        assert "Attempt 1 was lost. Host away" in page
        assert f"/runs/{run.pk}/log/?attempt=2" in page
        page = person.get(f"/runs/{run.pk}/?attempt=1").content.decode()
        assert "Attempts" in page
        assert person.get(f"/runs/{run.pk}/?attempt=7").status_code == 404
        seen = person.get(f"/runs/{run.pk}/state/?seen=1")
        assert seen.headers["HX-Refresh"] == "true", "a page that shows the attempt before is read again"
        assert "HX-Refresh" not in person.get(f"/runs/{run.pk}/state/?seen=2").headers
        answer = rest.get(f"/api/v1/runs/{run.pk}/").json()
        assert [(one["number"], one["state"], one["host"]) for one in answer["attempts"]] == [
            (1, "lost", "away"),
            (2, "queued", None),
        ]
        assert (answer["attempt"], answer["retries"], answer["state"]) == (2, 2, "queued")
        for attempt, status in (("1", 200), ("2", 200), ("3", 404), ("x", 422)):
            assert rest.get(f"/api/v1/runs/{run.pk}/log/?attempt={attempt}").status_code == status


def _log_folder(workload: Workload) -> Path:
    from modelwright.compute.layout import workload_folder

    folder = workload_folder(workload)
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.usefixtures("platform_python")
def test_the_api_and_the_form_take_retries(
    project: Project, admin: User, api: Any, browser_client: Callable[[User], Client]
) -> None:
    rest = api(admin)
    made = rest.post(
        f"/api/v1/projects/{project.pk}/jobs/",
        {"name": "weekly", "script": "train.py", "retries": 2, "retry_failed": True},
        content_type=JSON,
    )
    assert made.status_code == 201, made.content
    assert (made.json()["retries"], made.json()["retry_failed"]) == (2, True)
    too_many = rest.patch(f"/api/v1/jobs/{made.json()['id']}/", {"retries": 11}, content_type=JSON)
    assert too_many.status_code in (400, 422)
    run = rest.post(f"/api/v1/projects/{project.pk}/runs/", {"script": "train.py", "retries": 1}, content_type=JSON)
    assert run.status_code == 201, run.content
    assert (run.json()["retries"], run.json()["attempt"]) == (1, 1)
    person = browser_client(admin)
    form = {"script": "train.py", "retries": "4", "is_active": "on"}
    answer = person.post(f"/jobs/{made.json()['id']}/edit/", form, follow=True)
    assert "4 when its host is lost" in answer.content.decode()
    job: Job = Job.objects.get(name="weekly")
    assert (job.retries, job.retry_failed) == (4, False)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_of_a_run_with_attempts_in_a_browser(
    page: Page, live_server: LiveServer, admin: User, project: Project, live_run: Callable[..., Any], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    run, _ = live_run(project)
    again, _ = live_run(project)
    workload = again.workload
    Run.objects.filter(pk=again.pk).delete()
    because = "Attempt 1 was lost. Host gpu-machine-7.example.org has not been heard from for 45 seconds."
    Attempt.objects.create(run=run, number=1, workload=run.workload)
    Attempt.objects.create(run=run, number=2, workload=workload, because=because)
    Workload.objects.filter(pk=run.workload_id).update(state="lost", finished_at=timezone.now())
    Run.objects.filter(pk=run.pk).update(workload=workload, attempt=2, retries=2)
    sign_in(page, live_server.url, "admin")
    page.goto(f"{live_server.url}/runs/{run.pk}/?attempt=1")
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    if shots := os.environ.get("MODELWRIGHT_SCREENSHOTS"):
        page.screenshot(path=f"{shots}/attempts-{width}.png", full_page=True)
    check_page(page)

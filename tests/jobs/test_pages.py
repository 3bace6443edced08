"""Pages of jobs and runs, as Django renders them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from jobs.models import Job, Run
from jobs.services import RunRequest, request_cancel, start_run, sync_jobs
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import Workload
from projects.models import Project
from tests.jobs.conftest import give_roles

SYSTEM = Actor.system("tests")
pytestmark = pytest.mark.usefixtures("platform_python")


@pytest.fixture
def team(make_user: Any, project: Project) -> dict[str, User]:
    people = {name: make_user(name) for name in ("vic", "opa", "con", "out")}
    give_roles(project, vic="viewer", opa="operator", con="contributor")
    return people


@pytest.fixture
def con(browser_client: Any, team: dict[str, User]) -> Client:
    client: Client = browser_client(team["con"])
    return client


@pytest.fixture
def run(project: Project) -> Run:
    return start_run(project, RunRequest(script="train.py", parameters={"a": "<b>"}), acting_user=SYSTEM)


def test_lists_say_what_to_do_when_they_are_empty(con: Client, project: Project) -> None:
    assert "No runs yet" in con.get(f"/projects/{project.pk}/runs/").content.decode()
    assert "ingest" in con.get(f"/projects/{project.pk}/jobs/").content.decode()


def test_a_job_is_started_from_its_page(con: Client, project: Project) -> None:
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    page = con.get(f"/jobs/{ingest.pk}/").content.decode()
    assert "--rows 100" in page
    answer = con.post(f"/jobs/{ingest.pk}/", {"parameters": "depth = 3\nfast = true\nname = a b", "commit": ""})
    run = Run.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"/runs/{run.pk}/"
    assert run.parameters == {"depth": 3, "fast": True, "name": "a b"}
    assert run.trigger == "by hand"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"parameters": "depth"}, "Line 1 is not"),
        ({"parameters": "a b = 1"}, "a b: This is no parameter"),
        ({"parameters": "a = 1\na = 2"}, "Line 2 gives a again"),
        ({"commit": "main"}, "has no commit"),
    ],
)
def test_a_wrong_start_says_why_beside_the_form(con: Client, project: Project, values: Any, message: str) -> None:
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    answer = con.post(f"/jobs/{ingest.pk}/", values)
    assert answer.status_code in (404, 422)
    assert message in answer.content.decode()
    assert not Run.objects.exists()


def test_a_script_is_started_without_a_job(con: Client, project: Project) -> None:
    assert "train.py" in con.get(f"/projects/{project.pk}/runs/new/").content.decode()
    answer = con.post(f"/projects/{project.pk}/runs/new/", {"script": "train.py", "arguments": "--a 'b c'"})
    assert answer.status_code == 302
    assert Run.objects.get().arguments == ["--a", "b c"]


def test_the_runs_page_escapes_what_users_wrote(con: Client, run: Run) -> None:
    page = con.get(f"/runs/{run.pk}/").content.decode()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "Nothing was logged" in page
    assert f'hx-get="/runs/{run.pk}/state/?seen=1"' in page


def test_the_live_part_stops_when_the_run_has_ended(con: Client, run: Run) -> None:
    live = con.get(f"/runs/{run.pk}/state/")
    assert "hx-trigger" in live.content.decode()
    assert "HX-Refresh" not in live
    request_cancel(run, acting_user=SYSTEM)
    ended = con.get(f"/runs/{run.pk}/state/")
    assert "hx-trigger" not in ended.content.decode()
    assert ended["HX-Refresh"] == "true"


def test_a_failed_run_shows_cause_remedy_and_last_lines(con: Client, run: Run) -> None:
    Workload.objects.filter(pk=run.workload_id).update(state="timed_out", timeout_seconds=90, fence=1)
    page = con.get(f"/runs/{run.pk}/").content.decode()
    assert "It ran longer than its limit of 1 min 30 s" in page
    assert "longer timeout" in page
    assert f"/runs/{run.pk}/cancel/" not in page


def test_a_run_is_cancelled_after_a_question(con: Client, run: Run) -> None:
    assert "Stop the run" in con.get(f"/runs/{run.pk}/cancel/").content.decode()
    assert con.post(f"/runs/{run.pk}/cancel/", {"reason": "too slow"}).status_code == 302
    assert Run.objects.get(pk=run.pk).state == "cancelled"
    assert con.post(f"/runs/{run.pk}/cancel/", {"reason": ""}).status_code == 409


def test_a_job_is_made_changed_and_deleted(con: Client, project: Project) -> None:
    body = {"name": "nightly", "script": "train.py", "schedule": "0 3 * * *", "is_active": "on"}
    made = con.post(f"/projects/{project.pk}/jobs/new/", body)
    assert made.status_code == 302, made.content.decode()
    job = Job.objects.get(name="nightly")
    page = con.get(f"/jobs/{job.pk}/").content.decode()
    assert page.count("03:00:00 UTC") >= 5
    changed = {**body, "schedule": "", "timeout_minutes": "1.5", "variables": "A = 1"}
    assert con.post(f"/jobs/{job.pk}/edit/", changed).status_code == 302
    job.refresh_from_db()
    assert (job.schedule, job.timeout_seconds, job.variables) == ("", 90, {"A": "1"})
    assert job.edited == ["schedule", "timeout_seconds", "variables"]
    assert con.post(f"/jobs/{job.pk}/delete/").status_code == 302
    assert not Job.objects.filter(pk=job.pk).exists()


def test_a_wrong_job_says_why_beside_the_field(con: Client, project: Project) -> None:
    body = {"name": "nightly", "script": "../x.py", "schedule": "soon", "is_active": "on"}
    answer = con.post(f"/projects/{project.pk}/jobs/new/", body)
    assert answer.status_code == 422
    assert "has not five fields" in answer.content.decode()


def test_a_broken_manifest_is_said_above_the_jobs(con: Client, project: Project, commit_files: Any) -> None:
    commit_files(project, {"modelwright.yaml": "name: [\n"})
    assert "The jobs do not follow the newest commit" in con.get(f"/projects/{project.pk}/jobs/").content.decode()


def test_lists_are_filtered(con: Client, run: Run) -> None:
    address = f"/projects/{run.project_id}/runs/"
    assert "train #1" in con.get(f"{address}?state=queued").content.decode()
    assert "Nothing matches" in con.get(f"{address}?state=failed").content.decode()


def test_roles_see_only_what_they_may_do(browser_client: Any, team: dict[str, User], run: Run) -> None:
    viewer, stranger = browser_client(team["vic"]), browser_client(team["out"])
    page = viewer.get(f"/runs/{run.pk}/").content.decode()
    assert "/cancel/" not in page
    assert viewer.post(f"/runs/{run.pk}/cancel/", {}).status_code == 403
    assert viewer.get(f"/projects/{run.project_id}/runs/new/").status_code == 403
    for address in (f"/runs/{run.pk}/", f"/runs/{run.pk}/log/", f"/runs/{run.pk}/state/", f"/runs/{run.pk}/chart/"):
        assert viewer.get(address).status_code == 200
        assert stranger.get(address).status_code == 404
    assert stranger.get(f"/projects/{run.project_id}/jobs/").status_code == 404


def test_the_log_and_charts_are_json(con: Client, run: Run) -> None:
    assert con.get(f"/runs/{run.pk}/log/?offset=0").json() == {"text": "", "offset": 0, "finished": False}
    assert con.get(f"/runs/{run.pk}/chart/?key=loss").json()["series"] == []
    assert con.get(f"/runs/{run.pk}/artifact/?path=a/b").status_code == 404

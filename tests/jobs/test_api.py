"""Jobs and runs over REST."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.models import Job, Run
from modelwright.accounts.models import User
from modelwright.compute.layout import log_file
from modelwright.compute.models import Workload
from projects.models import Project
from tests.conftest import ApiClient
from tests.jobs.conftest import give_roles

JSON = "application/json"
pytestmark = pytest.mark.usefixtures("platform_python")


@pytest.fixture
def team(make_user: Any, make_project: Any, commit_files: Any, project: Project) -> dict[str, User]:
    """People with roles in `project`, and one without."""
    people = {name: make_user(name) for name in ("vic", "opa", "con", "out")}
    give_roles(project, vic="viewer", opa="operator", con="contributor")
    return people


@pytest.fixture
def con(api: Any, team: dict[str, User]) -> ApiClient:
    client: ApiClient = api(team["con"])
    return client


def jobs_by_name(client: ApiClient, project: Project) -> dict[str, Any]:
    return {job["name"]: job for job in client.get(f"/api/v1/projects/{project.pk}/jobs/").json()["results"]}


def test_the_manifests_jobs_are_there_at_once(con: ApiClient, project: Project, commit_files: Any) -> None:
    assert set(jobs_by_name(con, project)) == {"ingest", "train"}
    commit_files(project, {"modelwright.yaml": "name: churn\nsteps:\n  - {name: only, script: train.py}\n"})
    found = jobs_by_name(con, project)
    assert found["only"]["is_active"]
    assert not found["ingest"]["is_active"]


def test_a_broken_manifest_leaves_the_jobs_as_they_are(con: ApiClient, project: Project, commit_files: Any) -> None:
    jobs_by_name(con, project)
    commit_files(project, {"modelwright.yaml": "name: [\n"})
    assert set(jobs_by_name(con, project)) == {"ingest", "train"}


def test_a_job_is_made_changed_and_deleted(con: ApiClient, project: Project) -> None:
    body = {"name": "nightly", "script": "train.py", "schedule": "0 3 * * *", "arguments": ["--a", ""]}
    made = con.post(f"/api/v1/projects/{project.pk}/jobs/", body, content_type=JSON)
    assert made.status_code == 201, made.content
    job = made.json()
    assert job["next_run_at"]
    assert job["arguments"] == ["--a", ""]
    address = f"/api/v1/jobs/{job['id']}/"
    changed = con.patch(
        address, {"schedule": "", "runs_after": "ingest"}, content_type=JSON, headers={"If-Match": made["ETag"]}
    )
    assert changed.status_code == 404
    jobs_by_name(con, project)
    changed = con.patch(
        address, {"schedule": "", "runs_after": "ingest"}, content_type=JSON, headers={"If-Match": made["ETag"]}
    )
    assert changed.status_code == 200, changed.content
    assert changed.json()["next_run_at"] is None
    assert changed.json()["runs_after"] == "ingest"
    stale = con.patch(address, {"schedule": "* * * * *"}, content_type=JSON, headers={"If-Match": made["ETag"]})
    assert stale.status_code == 412
    assert con.delete(address).status_code == 204
    assert con.get(address).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Not Valid", "script": "a.py"}, "name"),
        ({"name": "x", "script": "../a.py"}, "script"),
        ({"name": "x"}, "script"),
        ({"name": "x", "script": "a.py", "schedule": "soon"}, "schedule"),
        ({"name": "x", "script": "a.py", "profile": "enormous"}, None),
        ({"name": "x", "script": "a.py", "variables": {"PATH": "x"}}, "variables.PATH"),
        ({"name": "x", "script": "a.py", "timeout_seconds": -1}, "timeout_seconds"),
    ],
)
def test_wrong_jobs_name_the_field(con: ApiClient, project: Project, body: Any, field: str | None) -> None:
    answer = con.post(f"/api/v1/projects/{project.pk}/jobs/", body, content_type=JSON)
    assert answer.status_code in (404, 422), answer.content
    if field:
        assert field in [error["field"] for error in answer.json()["errors"]]


def test_a_run_is_started_once_per_key(con: ApiClient, project: Project) -> None:
    job = jobs_by_name(con, project)["ingest"]
    address, body = f"/api/v1/jobs/{job['id']}/runs/", {"parameters": {"depth": 3, "fast": True}}
    first = con.post(address, body, content_type=JSON, headers={"Idempotency-Key": "k"})
    again = con.post(address, body, content_type=JSON, headers={"Idempotency-Key": "k"})
    assert first.status_code == 201, first.content
    assert again.json()["id"] == first.json()["id"]
    assert Run.objects.count() == 1
    run = first.json()
    assert run["state"] == "queued"
    assert run["trigger"] == "api"
    assert run["created_by"] == "con"
    assert run["arguments"] == ["--rows", "100", "--depth", "3", "--fast", "true"]
    assert run["parameters"] == {"depth": 3, "fast": True}
    assert run["cause"] is None


def test_a_script_is_run_without_a_job(con: ApiClient, project: Project) -> None:
    body = {"script": "train.py", "arguments": ["-v"]}
    run = con.post(f"/api/v1/projects/{project.pk}/runs/", body, content_type=JSON).json()
    assert (run["job"], run["name"], run["number"]) == (None, "train", 1)
    listed = con.get(f"/api/v1/projects/{project.pk}/runs/").json()["results"]
    assert [row["id"] for row in listed] == [run["id"]]


@pytest.mark.parametrize(
    "body",
    [
        {"script": "gone.py"},
        {"script": "train.py", "commit": "nothing"},
        {"script": "train.py", "parameters": {"a": [1]}},
        {"script": "train.py", "parameters": [1]},
        {"script": "train.py", "profile": "enormous"},
        {"script": "train.py", "arguments": "x"},
    ],
)
def test_wrong_runs_are_refused_with_a_remedy(con: ApiClient, project: Project, body: Any) -> None:
    answer = con.post(f"/api/v1/projects/{project.pk}/runs/", body, content_type=JSON)
    assert answer.status_code in (404, 422), answer.content
    assert answer.json()["remedy"]
    assert not Run.objects.exists()


def test_runs_are_filtered(con: ApiClient, project: Project) -> None:
    job = jobs_by_name(con, project)["ingest"]
    con.post(f"/api/v1/jobs/{job['id']}/runs/", {}, content_type=JSON)
    con.post(f"/api/v1/projects/{project.pk}/runs/", {"script": "train.py"}, content_type=JSON)
    address = f"/api/v1/projects/{project.pk}/runs/"

    def found(query: str) -> list[str]:
        return [run["name"] for run in con.get(f"{address}?{query}").json()["results"]]

    assert found("") == ["train", "ingest"]
    assert found("state=queued") == ["train", "ingest"]
    assert found("state=running") == []
    assert found("job=ingest") == found(f"job={job['id']}") == ["ingest"]
    assert found("trigger=schedule") == []
    assert found("job=nothing") == []
    for wrong in ("state=odd", "state=%00", "trigger=odd", "job=%00"):
        assert con.get(f"{address}?{wrong}").status_code == 422


def test_a_run_is_cancelled_once(con: ApiClient, project: Project) -> None:
    run = con.post(f"/api/v1/projects/{project.pk}/runs/", {"script": "train.py"}, content_type=JSON).json()
    address = f"/api/v1/runs/{run['id']}/cancellation/"
    answer = con.post(address, {"reason": "not needed"}, content_type=JSON)
    assert answer.status_code == 202, answer.content
    assert answer.json()["state"] == "cancelled"
    assert answer.json()["cause"]["message"] == "con cancelled it."
    assert con.post(address, {}, content_type=JSON).status_code == 409


def test_the_log_is_read_in_pieces(con: ApiClient, project: Project) -> None:
    run = con.post(f"/api/v1/projects/{project.pk}/runs/", {"script": "train.py"}, content_type=JSON).json()
    address = f"/api/v1/runs/{run['id']}/log/"
    assert con.get(address).json() == {"text": "", "offset": 0, "finished": False}
    Workload.objects.update(state="succeeded", fence=1)
    path = log_file(Workload.objects.get())
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_text("one\n<b>two</b>\n")
    first = con.get(address).json()
    assert first == {"text": "one\n<b>two</b>\n", "offset": 15, "finished": True}
    assert con.get(f"{address}?offset=4").json()["text"] == "<b>two</b>\n"
    for wrong in ("x", "-1", "1e3", "9" * 30):
        assert con.get(f"{address}?offset={wrong}").status_code == 422


def test_what_was_not_logged_is_empty(con: ApiClient, project: Project) -> None:
    run = con.post(f"/api/v1/projects/{project.pk}/runs/", {"script": "train.py"}, content_type=JSON).json()
    address = f"/api/v1/runs/{run['id']}"
    assert con.get(f"{address}/metrics/").json() == {"results": []}
    assert con.get(f"{address}/metrics/history/?key=loss").json() == {"key": "loss", "series": []}
    assert con.get(f"{address}/metrics/history/").status_code == 422
    assert con.get(f"{address}/artifacts/").json() == {"results": []}
    assert con.get(f"{address}/artifacts/content/?path=x/y").status_code == 404


def test_roles_and_strangers(api: Any, team: dict[str, User], con: ApiClient, project: Project) -> None:
    job = jobs_by_name(con, project)["ingest"]
    run = con.post(f"/api/v1/jobs/{job['id']}/runs/", {}, content_type=JSON).json()
    viewer, operator, stranger = api(team["vic"]), api(team["opa"]), api(team["out"])
    start = f"/api/v1/jobs/{job['id']}/runs/"
    assert viewer.post(start, {}, content_type=JSON).status_code == 403
    assert operator.post(start, {}, content_type=JSON).status_code == 201
    assert stranger.post(start, {}, content_type=JSON).status_code == 404
    assert operator.patch(f"/api/v1/jobs/{job['id']}/", {}, content_type=JSON).status_code == 403
    for address in (f"jobs/{job['id']}/", f"runs/{run['id']}/", f"runs/{run['id']}/log/"):
        assert viewer.get(f"/api/v1/{address}").status_code == 200
        assert stranger.get(f"/api/v1/{address}").status_code == 404
    assert stranger.get(f"/api/v1/projects/{project.pk}/runs/").status_code == 404
    assert viewer.post(f"/api/v1/runs/{run['id']}/cancellation/", {}, content_type=JSON).status_code == 403


def test_a_deleted_job_leaves_its_runs(con: ApiClient, project: Project) -> None:
    job = jobs_by_name(con, project)["ingest"]
    run = con.post(f"/api/v1/jobs/{job['id']}/runs/", {}, content_type=JSON).json()
    assert con.delete(f"/api/v1/jobs/{job['id']}/").status_code == 204
    kept = con.get(f"/api/v1/runs/{run['id']}/").json()
    assert (kept["job"], kept["name"]) == (None, "ingest")
    assert not Job.objects.filter(pk=job["id"]).exists()

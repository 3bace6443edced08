"""Pages of jobs and runs in a real browser: a live run, its charts, the way from a job to its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import global_settings
from playwright.sync_api import Page, expect

from jobs.models import Run
from jobs.services import RunRequest, start_run, sync_jobs
from modelwright.accounts.actors import Actor
from projects.models import Project
from tests.jobs.conftest import give_roles
from tests.jobs.turning import execute, turn_until
from tests.ui.browser import check_page, sign_in

SYSTEM = Actor.system("tests")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRAINING = """
import mlflow, pandas, time
print("reading", flush=True)
with mlflow.start_run(run_name="fit"):
    mlflow.log_params({"model": "logistic", "depth": 3})
    for step in range(40):
        mlflow.log_metrics({"loss": 1 / (step + 1), "auc": 1 - 1 / (step + 2)}, step=step)
    mlflow.log_metric("rows", 7043)
    data = mlflow.data.from_pandas(pandas.DataFrame({"x": [1]}), source="https://example.org/churn.csv", name="churn")
    mlflow.log_input(data, context="training")
    open("report.txt", "w").write("good")
    mlflow.log_artifact("report.txt", "reports")
print("trained", flush=True)
"""


@pytest.fixture
def member(
    web: str, tracking_files: Path, platform_python: Any, settings: Any, make_user: Any, project: Project
) -> str:
    """The address of the web process, which checks real hashes; `con` is a contributor of the project."""
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
    make_user("con")
    give_roles(project, con="contributor")
    return web


# Half of it, and once it was seen the other half: it goes on for as long as that takes.
WATCHED = """
import os, time
for i in range(1, 41):
    while i > 20 and not os.path.exists({seen!r}):
        time.sleep(0.1)
    print(f"line {{i}}", flush=True)
"""


def test_a_run_is_watched_while_it_goes_on(
    member: str, page: Page, project: Project, commit_files: Any, tmp_path: Path
) -> None:
    code = WATCHED.format(seen=str(tmp_path / "seen"))
    commit_files(project, {"train.py": code})
    sign_in(page, member, "con")
    page.goto(f"{member}/projects/{project.pk}/jobs/")
    page.get_by_role("link", name="ingest").click()
    page.get_by_label("Parameters").fill("depth = 3")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("h1")).to_contain_text("ingest #1")
    log = page.get_by_role("log")
    turn_until(lambda: "line 20" in log.inner_text())
    # The log may be shown before the watcher has seen that the process runs.
    turn_until(lambda: "running" in page.locator("#run-live").inner_text())
    assert "line 21" not in log.inner_text()
    (tmp_path / "seen").touch()
    turn_until(lambda: "line 40" in log.inner_text() and page.get_by_text("The log is complete").count() > 0)
    turn_until(lambda: "succeeded" in page.locator("h1").inner_text())
    expect(page.locator("[hx-trigger]")).to_have_count(0)
    assert Run.objects.get().parameters == {"depth": 3}


def test_what_a_run_logged_is_shown(
    member: str, page: Page, narrow_page: Page, dark_page: Page, project: Project, commit_files: Any
) -> None:
    commit_files(project, {"train.py": TRAINING})
    run = execute(start_run(project, RunRequest(script="train.py", parameters={"seed": 1}), acting_user=SYSTEM))
    assert run.state == "succeeded"
    for each in (page, narrow_page, dark_page):
        sign_in(each, member, "con")
        each.goto(f"{member}/runs/{run.pk}/")
        expect(each.locator(".chart canvas")).to_have_count(2)
        check_page(each)
    expect(page.get_by_role("region", name="Metrics", exact=True)).to_contain_text("7043")
    expect(page.get_by_role("region", name="Inputs")).to_contain_text("https://example.org/churn.csv")
    with page.expect_download() as download:
        page.get_by_role("link", name="reports/report.txt").click()
    assert Path(download.value.path()).read_text() == "good"


def test_a_failed_run_and_every_list_are_accessible(
    member: str, page: Page, narrow_page: Page, project: Project, commit_files: Any
) -> None:
    commit_files(project, {"train.py": "raise ValueError('no such column: tenure')\n"})
    ingest, _ = sync_jobs(project, acting_user=SYSTEM)
    run = execute(start_run(project, RunRequest(job=ingest), acting_user=SYSTEM))
    waiting = start_run(project, RunRequest(script="train.py"), acting_user=SYSTEM)
    base = f"/projects/{project.pk}"
    addresses = [
        *(f"{base}/runs/", f"{base}/runs/new/", f"{base}/jobs/", f"{base}/jobs/new/"),
        *(f"/jobs/{ingest.pk}/", f"/jobs/{ingest.pk}/edit/", f"/jobs/{ingest.pk}/delete/"),
        *(f"/runs/{run.pk}/", f"/runs/{waiting.pk}/", f"/runs/{waiting.pk}/cancel/"),
    ]
    for each in (page, narrow_page):
        sign_in(each, member, "con")
        for address in addresses:
            each.goto(f"{member}{address}")
            check_page(each)
    page.goto(f"{member}/runs/{run.pk}/")
    expect(page.locator("#run-live")).to_contain_text("no such column: tenure")

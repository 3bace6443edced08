"""A person sets secrets, a real run reads them, and the log, the record and the pages are as they must be."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from django.conf import global_settings
from playwright.sync_api import Page, expect

from jobs.models import PushStart, Run
from jobs.pushes import own
from jobs.services import RunRequest, start_run
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.selectors import read_log
from modelwright.core.crypto import decrypt
from projects.models import Project, SecretRead, Variable
from projects.variables.services import set_variable
from tests.jobs.conftest import give_roles
from tests.jobs.turning import execute
from tests.ui.browser import NARROW, check_page, check_width, editor, sign_in

SYSTEM = Actor.system("tests")
VALUE = "correct horse battery"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

READS = """
import base64, os, sys
value = os.environ["API_KEY"]
path = os.environ["KEY_FILE"]
print("value", value, "in base64", base64.b64encode(value.encode()).decode())
for letter in value:
    print(letter, end="", flush=True)
print()
print("file", open(path).read(), oct(os.stat(path).st_mode & 0o777))
print("region", os.environ["REGION"], "token", os.environ["MLFLOW_TRACKING_TOKEN"])
raise SystemExit(3)
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


def test_a_secret_from_the_page_to_the_masked_log_and_the_record(
    member: str, page: Page, project: Project, commit_files: Any, make_user: Any
) -> None:
    commit_files(project, {"train.py": READS})
    sign_in(page, member, "con")
    variables = f"{member}/projects/{project.pk}/variables/"
    page.goto(variables)
    page.get_by_label("Name", exact=True).fill("API_KEY")
    page.get_by_label("Value").fill(VALUE)
    page.get_by_role("button", name="Set variable").click()
    expect(page.get_by_text("API_KEY is set.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("KEY_FILE")
    page.get_by_label("Value").fill("-----BEGIN-----\nfirst line of the key\n-----END-----")
    page.get_by_label("Given").select_option("file")
    page.get_by_role("button", name="Set variable").click()
    expect(page.get_by_text("KEY_FILE is set.")).to_be_visible()
    set_variable(project, name="REGION", value="north-west", is_secret=False, acting_user=SYSTEM)
    con = User.objects.get(username="con")
    run = execute(start_run(project, RunRequest(script="train.py"), acting_user=Actor.person(con)))
    log, _, _ = read_log(run.workload)
    assert log.splitlines()[0] == "value *** in base64 ***"
    assert log.splitlines()[1] == "***"
    assert log.splitlines()[-1] == "region north-west token ***"
    assert "file ***" in log
    assert "0o600" in log
    page.goto(f"{member}/runs/{run.pk}/")
    shown = page.content()
    assert "value *** in base64 ***" in shown
    for hidden in (VALUE, base64.b64encode(VALUE.encode()).decode(), "first line of the key"):
        assert hidden not in shown
        assert hidden not in log
    page.goto(f"{variables}API_KEY/")
    expect(page.get_by_role("link", name=str(run))).to_be_visible()
    for path in ("", "API_KEY/", "API_KEY/edit/", "API_KEY/delete/", "REGION/", "../secret-reads/"):
        page.goto(variables + path)
        check_page(page)
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        check_width(page)
        page.set_viewport_size({"width": 1280, "height": 800})
        assert VALUE not in page.content()
    page.goto(f"{variables}API_KEY/edit/")
    page.get_by_label("What it is for").fill("The weather service")
    page.get_by_role("button", name="Save variable").click()
    expect(page.get_by_text("The weather service")).to_be_visible()
    assert decrypt(Variable.objects.get(name="API_KEY").value) == VALUE
    assert SecretRead.objects.get().person == "con"
    make_user("aud", is_auditor=True)
    page.context.clear_cookies()
    sign_in(page, member, "aud")
    page.goto(f"{member}/audit/")
    page.get_by_role("link", name="Secrets").click()
    expect(page.get_by_role("link", name=str(run))).to_be_visible()
    check_page(page)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    check_width(page)


def test_a_push_start_is_set_up_and_a_commit_starts_the_job(
    member: str, page: Page, project: Project, commit_files: Any
) -> None:
    sign_in(page, member, "con")
    page.goto(f"{member}/projects/{project.pk}/jobs/")
    page.get_by_role("link", name="ingest").click()
    page.get_by_role("link", name="Start it on a push").click()
    check_page(page)
    page.get_by_label("Name").fill("on-main")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Pushes start ingest from now on.")).to_be_visible()
    page.goto(f"{member}/projects/{project.pk}/files/edit/?path=train.py")
    editor(page, "Content").fill("print('trained anew')\n")
    page.get_by_role("button", name="Commit").click()
    expect(page.get_by_text("train.py is committed as")).to_be_visible()
    assert own.tick() == 1
    run = Run.objects.get()
    assert (run.trigger, run.created_by and run.created_by.username) == ("push", "con")
    start = PushStart.objects.get()
    page.goto(f"{member}/push-starts/{start.pk}/")
    expect(page.get_by_role("link", name=str(run))).to_be_visible()
    hook = f"{member}/projects/{project.pk}/push-starts/new/"
    page.goto(hook)
    page.get_by_label("Name").fill("from-github")
    page.get_by_label("Pushes to").select_option("github")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("The webhook is made")).to_be_visible()
    check_page(page)
    github = PushStart.objects.get(via="github")
    for path in ("", "edit/", "delete/"):
        page.goto(f"{member}/push-starts/{github.pk}/{path}")
        check_page(page)
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        check_width(page)
        page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{member}/projects/{project.pk}/push-starts/")
    check_page(page)

"""The main job through the pages alone, as a person does it: from a prototype to a rollback, and the auditor after."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.stack import Stack
from tests.e2e.visitor import LONG_MS, Visitor, visitor

SCRIPT = (Path(__file__).parent / "scripts" / "fit.py").read_text()
NAME = f"journey-{int(time.time())}"
REASON = f"Version 2 of {NAME} is too deep to be explained"
AUDITOR, AUDITOR_PASSWORD = f"auditor-{int(time.time())}", "seven-quiet-herons"


@pytest.fixture
def admin(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """The administrator, not signed in yet."""
    with visitor(browser, stack.web_url) as person:
        yield person


@pytest.fixture
def auditor(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """A second person with a browser of their own."""
    with visitor(browser, stack.web_url) as person:
        yield person


def test_a_person_comes_from_a_prototype_to_a_rollback_and_an_auditor_finds_it(
    stack: Stack, admin: Visitor, auditor: Visitor
) -> None:
    admin.sign_in_by_keyboard("admin", stack.password)
    make_project(admin)
    run_the_prototypes_job(admin)
    commit_a_script(admin)
    start_the_script(admin, depth=1, steps=16)
    watch_the_run(admin, steps=16)
    look_at_the_run(admin)
    look_at_the_version(admin, 1, loss="0.0625")
    endpoint = make_endpoint(admin)
    deploy(admin, endpoint, 1, "The first one")
    try_it(admin, endpoint, by_version=1)
    start_the_script(admin, depth=3, steps=1)
    admin.heading("succeeded")
    look_at_the_version(admin, 2, loss="1")
    deploy(admin, endpoint, 2, "A deeper tree")
    roll_back_by_keyboard(admin, endpoint)
    try_it(admin, endpoint, by_version=1)
    add_the_auditor(admin)
    audit(auditor)
    stop(admin, endpoint)
    assert admin.complained() == []
    assert auditor.complained() == []


def open_section(person: Visitor, section: str) -> None:
    """A section of the project, from the workspace on."""
    person.follow("Workspaces", inside="Main")
    person.follow("demo", inside="Workspaces")
    person.follow(NAME, inside="Projects")
    person.follow(section, inside="Sections of the project")


def make_project(person: Visitor) -> None:
    """A project from the churn prototype."""
    person.follow("Workspaces", inside="Main")
    person.follow("demo", inside="Workspaces")
    person.follow("New project")
    person.follow("Start from churn")
    person.fill({"Name": NAME, "Description": "Which customers leave?"})
    person.press("Make project")
    person.heading(NAME)
    expect(person.region("Steps")).to_contain_text("train.py")


def run_the_prototypes_job(person: Visitor) -> None:
    """Its first job runs as it is, in the environment that the demo's project has built."""
    person.follow("Jobs", inside="Sections of the project")
    person.press("Start ingest")
    person.heading(r"ingest #1\s+succeeded")
    expect(person.card("Environment")).to_contain_text("Reused: these requirements were resolved and built")
    expect(person.region("Inputs")).to_contain_text("ingest.py")
    expect(person.region("Metrics")).to_contain_text("7043")


def commit_a_script(person: Visitor) -> None:
    """A new file, committed in the browser."""
    person.follow("Files", inside="Sections of the project")
    person.follow("New file")
    person.fill({"Path": "fit.py", "Content": SCRIPT, "What changes, and why": "A tree on the iris data"})
    person.press("Commit")
    expect(person.page.get_by_role("status").get_by_text("fit.py is committed as")).to_be_visible()


def start_the_script(person: Visitor, *, depth: int, steps: int) -> None:
    """Start it with parameters."""
    open_section(person, "Runs")
    person.follow("Start a script")
    person.page.get_by_label("Script", exact=True).select_option("fit.py")
    person.fill({"Parameters": f"depth = {depth}\nsteps = {steps}"})
    person.press("Start")
    person.heading("fit #")


def watch_the_run(person: Visitor, *, steps: int) -> None:
    """The log grows on the open page, and at its end the page shows the end by itself."""
    address, log, seen = person.page.url, person.page.get_by_role("log"), set()
    deadline = time.monotonic() + LONG_MS / 1000
    while "succeeded" not in person.page.locator("h1").inner_text():
        assert time.monotonic() < deadline, person.page.locator("#run-live").inner_text()
        if "step 0" in (text := log.inner_text()) and "registered" not in text:
            seen.add(text)
        person.page.wait_for_timeout(200)
    assert len(seen) >= 2, seen
    assert person.page.url == address
    expect(log).to_contain_text(f"step {steps - 1}")
    expect(person.page.get_by_text("The log is complete.")).to_be_visible()


def look_at_the_run(person: Visitor) -> None:
    """Parameters, metrics, a chart, the environment, the exact inputs."""
    expect(person.region("Parameters")).to_contain_text(re.compile(r"depth\s*1"))
    expect(person.region("Metrics")).to_contain_text("accuracy")
    chart = person.page.locator("figure.chart")
    expect(chart).to_contain_text("loss")
    expect(chart.locator("canvas")).to_be_visible()
    expect(person.card("Environment")).to_contain_text("Reused")
    expect(person.region("Inputs")).to_contain_text(re.compile(r"Commit\s*fit\.py"))
    expect(person.region("Inputs")).to_contain_text(re.compile(r"iris\s*Data set for training"))


def look_at_the_version(person: Visitor, number: int, *, loss: str) -> None:
    """The registered version with all that is known of it."""
    open_section(person, "Models")
    person.follow("journey", inside="Models")
    deadline = time.monotonic() + LONG_MS / 1000
    versions = person.region("Versions")
    while versions.get_by_role("link", name=str(number), exact=True).count() == 0:
        assert time.monotonic() < deadline, versions.inner_text()
        person.page.wait_for_timeout(500)
        person.page.reload()
    person.follow(str(number), inside="Versions")
    person.heading("ready")
    expect(person.region("Metrics")).to_contain_text("accuracy")
    expect(person.region("Metrics")).to_contain_text(re.compile(rf"loss\s*{re.escape(loss)}"))
    expect(person.region("Inputs")).to_contain_text("petal_length")
    expect(person.region("Outputs")).to_contain_text("species")
    tree = person.page.locator("ul.algorithm")
    expect(tree).to_contain_text("StandardScaler")
    expect(tree).to_contain_text("DecisionTreeClassifier")
    graph = person.region("Lineage graph").get_by_role("group", name="Lineage of")
    expect(graph).to_contain_text("iris")
    expect(graph).to_contain_text("fit #")
    expect(person.card("What it is")).to_contain_text("Artifact (SHA-256)")


def make_endpoint(person: Visitor) -> str:
    """An endpoint with a key, which is shown once. Returns its address."""
    open_section(person, "Endpoints")
    person.follow("New endpoint")
    person.fill({"Name": NAME})
    person.press("Make endpoint")
    person.heading(f"demo/{NAME}")
    endpoint = person.page.url
    person.follow("Make a key")
    person.fill({"Name": "shop"})
    person.press("Make key")
    person.heading("The key is made")
    secret = person.page.locator(".secret code").inner_text().strip()
    assert secret.startswith("mwk_")
    person.follow(f"Back to {NAME}")
    expect(person.region("Keys")).to_contain_text("shop")
    assert secret not in person.page.content()
    return endpoint


def deploy(person: Visitor, endpoint: str, number: int, reason: str) -> None:
    """Deploy from the endpoint's page and watch it go live."""
    person.page.goto(endpoint)
    person.follow("Deploy")
    choice = person.page.get_by_label("Version", exact=True)
    choice.select_option(label=str(choice.locator("option", has_text=f" {number} ").inner_text()))
    person.fill({"Reason": reason})
    person.press("Deploy")
    serves(person, number)
    expect(person.card("Deployments")).to_contain_text(reason)


def serves(person: Visitor, number: int) -> None:
    """Wait, on the open page of the endpoint, until it serves the version."""
    now = person.card("Serves now")
    expect(now.locator(".serving").first).to_contain_text(re.compile(rf"\b{number}$"), timeout=LONG_MS)
    expect(now).not_to_contain_text("on its way", timeout=LONG_MS)


def try_it(person: Visitor, endpoint: str, *, by_version: int) -> None:
    """Ask with the form, then find what was asked and answered in the endpoint's list, and open it."""
    person.page.goto(endpoint)
    person.follow("Try it")
    person.fill({"petal_length": "1.25"})
    person.press("Predict")
    answer = person.card("Answer")
    expect(answer).to_contain_text(f"journey version {by_version}")
    expect(answer.locator(".serving")).to_have_text("setosa")
    prediction = answer.locator("dd a").inner_text()
    person.page.goto(endpoint)
    person.region("Recent predictions").get_by_role("link", name=f"…{prediction[-10:]}").click(timeout=LONG_MS)
    person.heading("Prediction")
    expect(person.page.get_by_label("Input", exact=True)).to_contain_text("1.25")
    expect(person.page.get_by_label("Output", exact=True)).to_contain_text("setosa")
    came_from = person.card("What it came from")
    expect(came_from).to_contain_text("fit #")
    expect(came_from).to_contain_text("iris")


def roll_back_by_keyboard(person: Visitor, endpoint: str) -> None:
    """Back to what served before, without the mouse."""
    person.page.goto(endpoint)
    person.tab_to(person.page.get_by_role("link", name="Roll back", exact=True))
    person.page.keyboard.press("Enter")
    person.heading("Roll back")
    person.tab_to(person.page.get_by_label("Reason"))
    person.page.keyboard.type(REASON)
    person.tab_to(person.page.get_by_role("button", name="Roll back", exact=True))
    person.page.keyboard.press("Enter")
    serves(person, 1)
    newest = person.card("Deployments").get_by_role("listitem").first
    expect(newest).to_contain_text("rollback")
    expect(newest).to_contain_text(REASON)


def add_the_auditor(person: Visitor) -> None:
    """A second person who may read everything and change nothing."""
    person.page.locator("summary", has_text="Signed in as").click()
    person.follow("People")
    person.follow("Add a person")
    person.fill({"User name": AUDITOR, "Full name": "A. Auditor", "First password": AUDITOR_PASSWORD})
    person.page.get_by_label("Auditor", exact=True).check()
    person.press("Add person")
    expect(person.page.get_by_role("status").get_by_text(f"{AUDITOR} is added")).to_be_visible()


def audit(person: Visitor) -> None:
    """Who rolled back, what and why; as a file too; and nothing that changes anything."""
    person.sign_in_by_keyboard(AUDITOR, AUDITOR_PASSWORD)
    person.follow("Audit", inside="Main")
    person.page.get_by_label("Text in names and reasons").fill(REASON)
    person.press("Filter")
    rows = person.region("Audit rows")
    row = rows.get_by_role("row", name="rollback.requested")
    expect(row).to_contain_text("admin")
    expect(row).to_contain_text(REASON)
    with person.page.expect_download() as download:
        person.follow("CSV")
    found = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [(line["actor_name"], line["reason"]) for line in found if line["action"] == "rollback.requested"] == [
        ("admin", REASON)
    ]
    row.get_by_role("link", name=re.compile("^Details")).click()
    person.heading("rollback.requested")
    expect(person.card("What")).to_contain_text(REASON)
    person.follow("Endpoints", inside="Main")
    person.follow(f"demo/{NAME}", inside="Endpoints")
    endpoint = person.page.url
    expect(person.card("Serves now")).to_contain_text("journey")
    for action in ("Deploy", "Roll back", "Try it", "Make a key"):
        expect(person.page.get_by_role("link", name=action, exact=True)).to_have_count(0)
    refused = person.page.goto(f"{endpoint}rollback/")
    assert refused is not None
    assert refused.status == 403


def stop(person: Visitor, endpoint: str) -> None:
    """Serve nothing any more, which gives the host its room back."""
    person.page.goto(endpoint)
    person.follow("Stop")
    person.fill({"Reason": "The journey is over"})
    person.press("Stop endpoint")
    expect(person.card("Serves now")).to_contain_text("The endpoint is stopped")

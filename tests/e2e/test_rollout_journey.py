"""A canary goes wrong and stops by itself, a person rolls back, the auditor reads it: pages and real replicas."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import psutil
import pytest
import requests
from playwright.sync_api import Browser, expect

from tests.e2e.scenes import Endpoint
from tests.e2e.stack import Rest, Stack, wait_for
from tests.e2e.visitor import LONG_MS, Visitor, visitor

NOW = int(time.time())
WHY, REASON = f"It is faster {NOW}", f"What serves misses too many {NOW}"
AUDITOR, AUDITOR_PASSWORD = f"reader-{NOW}", "seven-quiet-herons"


@pytest.fixture
def endpoint(stack: Stack, rest: Rest) -> Iterator[Endpoint]:
    """The demo's endpoint, which serves afterwards what it served before."""
    endpoint = Endpoint.of_the_demo(stack, rest)
    before = rest.get(f"endpoints/{endpoint.id}/")["live"]
    yield endpoint
    for rollout in rest.get(f"endpoints/{endpoint.id}/rollouts/?state=running")["results"]:
        rest.post(f"rollouts/{rollout['id']}/stop/", {"reason": "The test is over"})
    if versions(rest.get(f"endpoints/{endpoint.id}/")["live"]) != versions(before):
        again = {"reason": "The test is over", "deployment": before["id"]}
        rest.post(f"endpoints/{endpoint.id}/rollbacks/", again)
        wait_for(
            "what served before",
            lambda: versions(rest.get(f"endpoints/{endpoint.id}/")["live"]) == versions(before),
            180,
        )


@pytest.fixture
def admin(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """The administrator, signed in."""
    with visitor(browser, stack.web_url) as person:
        person.sign_in_by_keyboard("admin", stack.password)
        yield person


@pytest.fixture
def auditor(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """A second person with a browser of their own."""
    with visitor(browser, stack.web_url) as person:
        yield person


def test_a_canary_that_goes_wrong_stops_a_person_rolls_back_and_the_auditor_reads_it(
    stack: Stack, rest: Rest, endpoint: Endpoint, admin: Visitor, auditor: Visitor
) -> None:
    assert ask(endpoint) == 1
    rollout = begin(admin, endpoint)
    wait_for("an answer by the canary", lambda: ask(endpoint) == 2, 180)
    running = rest.get(f"rollouts/{rollout.rstrip('/').rpartition('/')[2]}/")
    kill_replicas(stack, running["model_version"])
    see_it_stop(admin)
    # Nobody asked for it; from now on the version before answers every request.
    wait_for("version 1 alone", lambda: {ask(endpoint) for _ in range(20)} == {1}, 60)
    roll_back(admin, endpoint)
    wait_for("version 2 alone", lambda: {ask(endpoint) for _ in range(20)} == {2}, 180)
    add_the_auditor(admin)
    read_what_happened(auditor, rollout)
    assert admin.complained() == []
    assert auditor.complained() == []


def begin(person: Visitor, endpoint: Endpoint) -> str:
    """Start a canary of version 2 with half of the requests, which not one replica's death may disturb."""
    person.page.goto(f"{person.url}/endpoints/{endpoint.id}/rollouts/")
    person.follow("New rollout")
    choice = person.page.get_by_label("Version", exact=True)
    choice.select_option(label=str(choice.locator("option", has_text=re.compile(r"\b2 \(")).first.inner_text()))
    fields = {"Steps": "50 600", "Replicas that may die": "0", "Latency, at most so many times the version before": ""}
    person.fill({**fields, "Reason": WHY})
    person.press("Begin the rollout")
    person.heading("Rollout")
    expect(person.card("What is rolled out")).to_contain_text("Canary")
    return person.page.url


def kill_replicas(stack: Stack, version: str) -> None:
    """`kill -9` the model servers of the version, as the kernel does where memory is short."""
    servers = {pid: psutil.Process(pid).cmdline() for pid in stack.processes()}
    victims = [pid for pid, words in servers.items() if "--version-id" in words and version in words]
    assert victims, servers
    for pid in victims:
        psutil.Process(pid).kill()


def see_it_stop(person: Visitor) -> None:
    """The open page says by itself that it was stopped, by what, and what was done."""
    expect(person.page.locator("#rollout-state")).to_contain_text("It was stopped.", timeout=LONG_MS)
    expect(person.page.locator("#rollout-state")).to_contain_text("of the new version ended by themselves; 0 may")
    newest = person.card("What happened").get_by_role("listitem").first
    expect(newest).to_contain_text("Stopped")
    expect(newest).to_contain_text("rollout controller")
    expect(person.region("Conditions")).to_contain_text("broken")


def roll_back(person: Visitor, endpoint: Endpoint) -> None:
    """From the endpoint's page, to version 2 alone, which served here before."""
    person.page.goto(f"{person.url}/endpoints/{endpoint.id}/")
    person.follow("Roll back")
    person.heading("Roll back")
    choice = person.page.get_by_label("Go back to", exact=True)
    alone = choice.locator("option", has_text=re.compile(r"Deployment \d+: [^,]*\b2, ")).first
    choice.select_option(value=str(alone.get_attribute("value")))
    person.fill({"Reason": REASON})
    person.press("Roll back")
    newest = person.card("Deployments").get_by_role("listitem").first
    expect(newest).to_contain_text(REASON, timeout=LONG_MS)


def add_the_auditor(person: Visitor) -> None:
    """A second person who may read everything and change nothing."""
    person.page.locator("summary", has_text="Signed in as").click()
    person.follow("People")
    person.follow("Add a person")
    person.fill({"User name": AUDITOR, "Full name": "R. Reader", "First password": AUDITOR_PASSWORD})
    person.page.get_by_label("Auditor", exact=True).check()
    person.press("Add person")
    expect(person.page.get_by_role("status").get_by_text(f"{AUDITOR} is added")).to_be_visible()


def read_what_happened(person: Visitor, rollout: str) -> None:
    """The rollout with what it was decided on, and both rows of the audit log; nothing that changes anything."""
    person.sign_in_by_keyboard(AUDITOR, AUDITOR_PASSWORD)
    person.page.goto(rollout)
    expect(person.page.locator("#rollout-state")).to_contain_text("of the new version ended by themselves; 0 may")
    expect(person.card("What happened")).to_contain_text("rollout controller")
    for action in ("Pause", "Stop", "Next step now", "Roll back"):
        expect(person.page.get_by_text(action, exact=True)).to_have_count(0)
    for text, row, actor in (
        ("ended by themselves; 0 may", "rollout.ended", "rollout controller"),
        (REASON, "rollback.requested", "admin"),
    ):
        person.follow("Audit", inside="Main")
        person.page.get_by_label("Text in names and reasons").fill(text)
        person.press("Filter")
        found = person.region("Audit rows").get_by_role("row", name=row).first
        expect(found).to_contain_text(actor)
        expect(found).to_contain_text(text)


def versions(live: dict[str, object] | None) -> str:
    """What a deployment's targets are."""
    return json.dumps((live or {}).get("targets"), sort_keys=True)


def ask(endpoint: Endpoint) -> int | None:
    """The version that answers one request, None where it is no answer."""
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    response = requests.post(endpoint.url, json={"records": [endpoint.record]}, headers=headers, timeout=60)
    return int(response.json()["version"]) if response.status_code == 200 else None

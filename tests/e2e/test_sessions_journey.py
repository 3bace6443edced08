"""Two people in one project, each in a JupyterLab of their own: what they do, what others may not, what is killed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from playwright.sync_api import Browser, expect

from tests.e2e.labs import (
    Lab,
    asked,
    commit,
    connected,
    kill_supervisor,
    merge,
    open_lab,
    run_cell,
    save,
    start,
    stop,
    wait_saved,
)
from tests.e2e.stack import Rest, Stack, wait_for
from tests.e2e.visitor import LONG_MS, Visitor, visitor

# Seven starts of a Lab or of its parts, each some seconds of processor.
pytestmark = pytest.mark.timeout(900)

PASSWORD = "seven-quiet-herons"
NOW = int(time.time())
ADA, BOB, EVE = f"ada-{NOW}", f"bob-{NOW}", f"eve-{NOW}"
# What MLflow's client does, which the project of this test does not require: a run with one file of a model.
REGISTER = """
import json, os, time, urllib.request as web
from modelwright_runtime import client
base, token = os.environ['MLFLOW_TRACKING_URI'], os.environ['MLFLOW_TRACKING_TOKEN']
headers = {'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'}
ask = lambda how, where, what: web.urlopen(web.Request(base + where, what, headers, method=how)).read()
tell = lambda where, what: json.loads(ask('POST', '/api/2.0/mlflow/' + where, json.dumps(what).encode()))
experiment = tell('experiments/create', {'name': 'lab'})['experiment_id']
run = tell('runs/create', {'experiment_id': experiment, 'start_time': int(time.time() * 1000)})['run']['info']
folder = run['artifact_uri'].partition(':')[2].lstrip('/')
ask('PUT', '/api/2.0/mlflow-artifacts/artifacts/' + folder + '/model/MLmodel', b'flavors: {}')
print('version', client.register('runs:/' + run['run_id'] + '/model', 'from-a-lab'), 'runs', len(client.runs()))
"""
# What was committed on the page comes to the session with its next save.
SOLVE = """
for each in $(seq 60); do git ls-files --error-unmatch draft.txt >/dev/null 2>&1 && break; sleep 1; done
git fetch -q origin && git merge -q -X ours -m Both origin/main && git log -1 --format=%s
"""


@pytest.fixture
def project(rest: Rest) -> Iterator[str]:
    """A project in which two people contribute; its id. A third one has another. Its sessions end with the test."""
    workspace = rest.post("workspaces/", {"name": f"labs-{NOW}"})["id"]
    project, other = (
        str(rest.post(f"workspaces/{workspace}/projects/", {"name": name})["id"]) for name in ("together", "apart")
    )
    for name, where in ((ADA, project), (BOB, project), (EVE, other)):
        rest.post("users/", {"username": name, "password": PASSWORD})
        rest.call("PUT", f"workspaces/{workspace}/members/{name}/", {"role": "member"})
        rest.call("PUT", f"projects/{where}/members/{name}/", {"role": "contributor"})
    yield project
    for one in rest.get(f"projects/{project}/sessions/?state=running")["results"]:
        rest.post(f"sessions/{one['id']}/stop/", {"reason": "The test is over."})


@pytest.fixture
def people(browser: Browser, stack: Stack, project: str) -> Iterator[list[Visitor]]:
    """The three, signed in, each with a browser of their own."""
    with ExitStack() as entered:
        found = []
        for name in (ADA, BOB, EVE):
            person = entered.enter_context(visitor(browser, stack.web_url))
            person.sign_in_by_keyboard(name, PASSWORD)
            found.append(person)
        yield found


def test_two_people_work_in_one_project_and_nothing_of_theirs_is_lost_or_open_to_others(
    stack: Stack, rest: Rest, project: str, people: list[Visitor]
) -> None:
    eve = people.pop()
    addresses = [start(person, project) for person in people]
    ada, bob = (open_lab(person, address) for person, address in zip(people, addresses, strict=True))
    for lab, name in ((ada, ADA), (bob, BOB)):
        # Both write a file of the same name as well: a branch each.
        run_cell(lab, f"open('{name}.txt', 'w').write('{name}'); open('draft.txt', 'w').write('{name}')")
        save(lab)
    nobody_else_gets_in(stack, ada, bob, eve)
    assert "version 1 runs 0" in run_cell(bob, REGISTER)
    wait_for("the version", lambda: models(rest, project) == ["from-a-lab"])
    for lab, name in ((ada, ADA), (bob, BOB)):
        commit(rest, lab, f"{name}.txt", f"Work of {name}")
    merge(ada)
    expect(ada.person.page.get_by_text("Everything that is committed on")).to_be_visible()
    a_conflict_is_shown_and_solved(rest, project, bob)
    what_is_killed_loses_nothing(stack, rest, ada)
    stop(bob)
    # Who was in is out with the end.
    assert asked(stack, bob, Cookie=bob.cookie) == 404
    assert connected(stack, bob, Cookie=bob.cookie, Origin=bob.origin) == 404
    assert {f"{ADA}.txt", f"{BOB}.txt", "draft.txt"} <= paths(rest, project)
    assert [each.complained() for each in (*people, eve)] == [[], [], []]


def nobody_else_gets_in(stack: Stack, ada: Lab, bob: Lab, eve: Visitor) -> None:
    """Another origin, another person, a member of another project and a link that was used, by HTTP and WebSocket."""
    own = {"Cookie": ada.cookie, "Origin": ada.origin}
    assert (asked(stack, ada, **own), connected(stack, ada, **own)) == (200, 101)
    for origin in ("http://evil.example", bob.origin, stack.web_url, "null"):
        foreign = {"Cookie": ada.cookie, "Origin": origin}
        assert (asked(stack, ada, **foreign), connected(stack, ada, **foreign)) == (403, 403), origin
    assert asked(stack, ada, Cookie=ada.cookie, Sec_Fetch_Site="cross-site") == 403
    # One that does not say where it comes from may look, and change nothing.
    assert asked(stack, ada, "POST", "/api/terminals", Cookie=ada.cookie) == 403
    assert connected(stack, ada, Cookie=ada.cookie) == 403
    for cookie in ("", bob.cookie):
        stranger = {"Origin": ada.origin, **({"Cookie": cookie} if cookie else {})}
        assert (asked(stack, ada, **stranger), connected(stack, ada, **stranger)) == (401, 401)
    # The link by which she came in was good once, in her own browser as well.
    again = ada.page.context.new_page()
    answer = again.goto(ada.link)
    assert answer is not None
    assert answer.status == 403
    expect(again.get_by_text(re.compile("it (was used before|is too old)"))).to_be_visible()
    again.close()
    # Another one of the project sees the session, and why it is not theirs to enter.
    bob.person.page.goto(ada.session)
    expect(bob.person.page.get_by_role("link", name="Open JupyterLab")).to_have_count(0)
    bob.person.page.goto(f"{ada.session}enter/")
    expect(bob.person.page.get_by_text("only they may enter it")).to_be_visible()
    for address in (ada.session, f"{ada.session}enter/"):
        answer = eve.page.goto(address)
        assert answer is not None
        assert answer.status == 404
    answer = eve.page.goto(f"{ada.origin}/lab")
    assert answer is not None
    assert answer.status == 401


def a_conflict_is_shown_and_solved(rest: Rest, project: str, bob: Lab) -> None:
    """What another one has merged is not overwritten: the page says why not and what to do, and that is done."""
    merge(bob)
    page = bob.person.page
    expect(page.get_by_text("Both sides changed the same lines of")).to_be_visible()
    expect(page.get_by_text("draft.txt").first).to_be_visible()
    expect(page.get_by_text("git merge origin/main")).to_be_visible()
    assert f"{BOB}.txt" not in paths(rest, project)
    said = run_cell(
        bob, f"import subprocess; print(subprocess.run({SOLVE!r}, shell=True, text=True, stdout=-1).stdout)"
    )
    assert "Both" in said
    wait_for("the merge pushed", lambda: rest.get(f"sessions/{bob.id}/changes/")["behind"] == 0)
    merge(bob)
    expect(page.get_by_text("Everything that is committed on")).to_be_visible()
    assert {f"{ADA}.txt", f"{BOB}.txt"} <= paths(rest, project)


def what_is_killed_loses_nothing(stack: Stack, rest: Rest, ada: Lab) -> None:
    """`kill -9` of the proxy: the open tab goes on. Of the process that holds the session: what was saved is there."""
    before = stack.kill("sessions")
    stack.wait_for_restart("sessions", before)
    wait_for("the proxy", lambda: is_there(stack, ada), instead=stack.log_tails)
    assert "56" in run_cell(ada, "open('later.txt', 'w').write('later'); print(7 * 8)")
    save(ada)
    wait_saved(rest, ada, "later.txt")
    kill_supervisor(stack, rest, ada)
    page = ada.person.page
    page.goto(ada.session)
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_text(re.compile("It is over: lost")).first).to_be_visible()
    commit(rest, ada, "later.txt", "What was saved")
    person = ada.person
    person.press("Resume")
    expect(page.get_by_role("link", name="Open JupyterLab")).to_be_visible(timeout=LONG_MS)
    ada.page.close()
    lab = open_lab(person, ada.session)
    assert "later" in run_cell(lab, "print(open('later.txt').read())")
    stop(lab)


def is_there(stack: Stack, lab: Lab) -> bool:
    """Whether the proxy listens and lets its person in."""
    try:
        return asked(stack, lab, Cookie=lab.cookie) == 200
    except requests.ConnectionError:
        return False


def models(rest: Rest, project: str) -> list[str]:
    """The models of the project."""
    return [one["name"] for one in rest.get("models/?limit=200")["results"] if one["project"] == project]


def paths(rest: Rest, project: str) -> set[str]:
    """The files of the project's main branch."""
    return {one["path"] for one in rest.get(f"projects/{project}/tree/")["entries"]}

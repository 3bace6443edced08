"""`./modelwright demo`, as a stranger sees it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess

import requests

from tests.e2e.stack import Rest, Stack

STEPS = (
    "Workspace and project from the churn prototype",
    "Run of the job ingest",
    "Run of the job features",
    "Run of the job train",
    "Registered version",
    "Endpoint that serves version 1",
    "Predictions",
    "Application that explains",
    "Second version",
    "Switch to version 2",
    "Rollback to version 1",
)


def curl_line(stack: Stack) -> str:
    """The line that the demo tells the reader to paste."""
    found = re.search(r"^Try it\s+(curl .+)$", stack.output, re.MULTILINE)
    assert found, stack.output[-3000:]
    return found.group(1)


def test_the_steps_come_in_order_and_each_ends(stack: Stack) -> None:
    places = [stack.output.find(step) for step in STEPS]
    assert -1 not in places, list(zip(STEPS, places, strict=True))
    assert places == sorted(places)
    assert stack.output.count("done in") == len(STEPS)


def test_the_gateway_is_compiled_where_there_is_a_compiler(stack: Stack) -> None:
    assert "Compiling the gateway" in stack.output
    said = (stack.directory / "logs" / "gateway.log").read_text()
    assert ("as machine code" if shutil.which("cc") else "as Python") in said, stack.output[:2000]


def test_no_request_failed_during_switch_and_rollback(stack: Stack) -> None:
    lines = re.findall(r"(\d+) requests meanwhile: (.+); (\d+) failed", stack.output)
    assert len(lines) == 2
    assert all(int(sent) > 0 and failed == "0" for sent, _, failed in lines)
    assert "by version 2" in lines[0][1]
    assert "by version 1" in lines[1][1]


def test_the_curl_line_works_when_pasted(stack: Stack) -> None:
    line = curl_line(stack)
    assert shlex.split(line)[0] == "curl"
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(pasted.stdout)
    assert answer["version"] == 1
    assert len(answer["predictions"]) == 1
    assert answer["prediction_id"]


def test_the_page_opens_with_the_login(stack: Stack) -> None:
    page = re.search(r"^The page\s+(\S+)$", stack.output, re.MULTILINE)
    login = re.search(r"^Sign in as\s+(\S+), password (\S+)$", stack.output, re.MULTILINE)
    assert page
    assert login
    session = requests.Session()
    form = session.get(page.group(1), timeout=60)
    csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    assert csrf
    opened = session.post(
        form.url,
        data={"username": login.group(1), "password": login.group(2), "csrfmiddlewaretoken": csrf.group(1)},
        headers={"Referer": stack.web_url},
        timeout=60,
    )
    assert opened.status_code == 200
    assert "churn" in opened.text
    assert opened.url == page.group(1)


def test_everything_is_on_record(stack: Stack, rest: Rest) -> None:
    endpoint = re.search(r"/endpoints/([0-9a-f-]{36})/", stack.output)
    assert endpoint
    deployments = rest.get(f"endpoints/{endpoint.group(1)}/deployments/")["results"]
    # Others may follow, when another file of tests ran on this platform before.
    assert [row["kind"] for row in deployments[-3:]] == ["rollback", "deploy", "deploy"]
    assert deployments[0]["state"] == "live"
    assert all(row["reason"] for row in deployments)
    actions = {row["action"] for row in rest.get("audit-events/?limit=500")["results"]}
    wanted = {
        "workspace.created", "project.created", "run.created", "run.ended", "model-version.created",
        "endpoint.created", "endpoint-key.created", "deployment.created", "deployment.live",
    }  # fmt: skip
    assert wanted <= actions

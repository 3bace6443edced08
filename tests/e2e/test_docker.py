"""The whole platform with containers: the main job, a live log, cancel, a killed keeper, and what code cannot reach.

Its own platform, since the others' has host processes. `MODELWRIGHT_E2E_KEEP_DOCKER` names a folder whose platform is
used if it runs and is left running: for writing tests.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright.local.keeper import instance
from modelwright.local.layout import Layout
from tests import engine
from tests.e2e.scenes import ENDED, Endpoint, Scripts
from tests.e2e.stack import Rest, Stack, person_token, wait_for
from tests.e2e.test_demo import STEPS

pytestmark = pytest.mark.containers

KEEP = "MODELWRIGHT_E2E_KEEP_DOCKER"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A platform of its own after the demo; nothing of it is left in the engine when it has stopped."""
    client = engine.require_engine()
    kept = os.environ.get(KEEP)
    folder = Path(kept).absolute() if kept else Path(tempfile.mkdtemp(prefix="mwd-", dir="/tmp"))
    running = Stack(folder, "demo", "--backend", "docker")
    try:
        running.wait_for_demo()
        yield running
    finally:
        if not kept:
            running.stop()
            left = containers(running)
            engine.clear(instance(Layout(running.directory)))
            assert left == []
            shutil.rmtree(folder, ignore_errors=True)
        client.close()


@pytest.fixture(scope="module")
def rest(stack: Stack) -> Rest:
    return Rest(stack.web_url, person_token(stack))


@pytest.fixture(scope="module")
def scripts(rest: Rest) -> Scripts:
    return Scripts.new(rest, f"containers-{os.getpid()}")


def containers(stack: Stack, **labels: str) -> list[dict[str, Any]]:
    """The platform's containers with these labels, whatever state they are in."""
    wanted = {"instance": instance(Layout(stack.directory)), **labels}
    client = engine.client()
    try:
        filters = {"label": [f"modelwright.{name}={value}" for name, value in wanted.items()]}
        found: list[dict[str, Any]] = client.api.containers(all=True, filters=filters)
        return found
    finally:
        client.close()


def test_the_main_job_is_done_in_containers(stack: Stack) -> None:
    assert stack.output.count("done in") == len(STEPS)
    assert "; 0 failed" in stack.output
    replicas = containers(stack, kind="replica")
    assert replicas
    assert {container["State"] for container in replicas} == {"running"}
    assert all(container["Image"].startswith("modelwright-environment:") for container in replicas)


def test_the_log_of_an_environment_shows_how_its_image_was_made(stack: Stack, rest: Rest) -> None:
    builds = [row for row in rest.get("workloads/?limit=200")["results"] if row["kind"] == "environment"]
    (log,) = (stack.directory / "workloads").glob(f"{builds[-1]['id']}-*/log")
    assert "Resolving requirements.txt" in log.read_text()
    assert "Making the image of environment" in log.read_text()


LIVE = "import time\nfor i in range(100_000):\n    print('line', i, flush=True)\n    time.sleep(0.1)"


def test_a_log_is_read_while_the_run_goes_on_and_cancel_ends_the_container(stack: Stack, scripts: Scripts) -> None:
    run = scripts.start(LIVE)
    wait_for("two lines of the log", lambda: "line 1" in scripts.log(run))
    assert scripts.wait(run, {"running"})
    assert len(containers(stack, kind="run")) == 1
    scripts.rest.post(f"runs/{run['id']}/cancellation/")
    assert scripts.wait(run)["state"] == "cancelled"
    wait_for("the removal of the container", lambda: not containers(stack, kind="run"))
    assert "line 1" in scripts.log(run)


def test_a_run_goes_on_while_the_keeper_is_killed_and_the_next_one_ends_it(stack: Stack, scripts: Scripts) -> None:
    run = scripts.start("import time\nfor i in range(40):\n    print('line', i, flush=True)\n    time.sleep(0.2)")
    wait_for("the first line of the log", lambda: "line 0" in scripts.log(run))
    stack.wait_for_restart("keeper", stack.kill("keeper"))
    ended = scripts.wait(run)
    assert ended["state"] == "succeeded", ended
    assert scripts.log(run) == "".join(f"line {i}\n" for i in range(40))


@pytest.mark.parametrize(
    ("code", "request_", "state", "words"),
    [
        ("x = []\nwhile True: x.append(b'x' * 1_000_000)", {"profile": "small"}, "out_of_memory", "larger profile"),
        ("while True: pass", {"timeout_seconds": 2}, "timed_out", "longer timeout"),
        ("raise ValueError('of the script')", {}, "failed", "traceback"),
    ],
)
def test_ends_are_told_apart_with_what_to_do(
    scripts: Scripts, code: str, request_: dict[str, Any], state: str, words: str
) -> None:
    ended = scripts.wait(scripts.start(code, **request_))
    assert ended["state"] == state
    assert words in ended["cause"]["remedy"]


BREAKS_OUT = """
import json, os, pathlib, socket, sys
found = {}
def attempt(name, step):
    try:
        found[name] = str(step() or "ALLOWED")
    except Exception as error:
        found[name] = type(error).__name__
data = pathlib.Path(os.environ["HOME"]).parents[2]
for name in ("repositories", "blobs", "postgres", "redis", "secrets/secret-key", "sockets", "environments", "mlflow"):
    attempt(name, lambda: os.stat(data / name))
attempt("other workloads", lambda: [n for n in os.listdir(data / "workloads") if n not in os.environ["HOME"]] or 1 / 0)
for path in ("/var/run/docker.sock", "/run/docker.sock"):
    attempt(path, lambda: os.stat(path))
for place in (("169.254.169.254", 80), ("172.17.0.1", 22), ("1.1.1.1", 53), ("127.0.0.1", 5432), ("127.0.0.1", 6379)):
    attempt(str(place), lambda: socket.create_connection(place, timeout=3))
attempt("write to the root", lambda: open("/x", "w"))
attempt("write to the runtime", lambda: open(os.environ["PYTHONPATH"].split(":")[0] + "/x", "w"))
attempt("become root", lambda: os.setuid(0))
print(json.dumps(found))
"""


def test_code_of_a_project_reaches_nothing_but_its_own(scripts: Scripts) -> None:
    run = scripts.start(BREAKS_OUT)
    assert scripts.wait(run)["state"] == "succeeded", scripts.log(run)
    found = json.loads(scripts.log(run))
    assert [name for name, value in found.items() if not value.endswith("Error")] == [], found


def test_code_reaches_the_platform_with_the_token_of_its_run_only(scripts: Scripts) -> None:
    code = (
        "import os, urllib.error, urllib.request\n"
        "url = os.environ['MLFLOW_TRACKING_URI'] + '/api/2.0/mlflow/experiments/search'\n"
        "for token in (os.environ['MLFLOW_TRACKING_TOKEN'], 'of-nobody'):\n"
        "    headers = {'Authorization': f'Bearer {token}', 'Content-Type': 'application/json'}\n"
        "    request = urllib.request.Request(url, b'{\"max_results\": 1}', headers)\n"
        "    try: print(urllib.request.urlopen(request, timeout=60).status)\n"
        "    except urllib.error.HTTPError as error: print(error.code)\n"
    )
    run = scripts.start(code)
    assert scripts.wait(run)["state"] == "succeeded", scripts.log(run)
    assert scripts.log(run).split() == ["200", "401"]


def test_a_container_that_somebody_removes_is_a_lost_run_that_says_so(stack: Stack, scripts: Scripts) -> None:
    run = scripts.start("import time; print('up', flush=True); time.sleep(600)")
    wait_for("its log", lambda: "up" in scripts.log(run))
    client = engine.client()
    client.api.remove_container(containers(stack, kind="run")[0]["Id"], force=True)
    client.close()
    ended = scripts.wait(run, ENDED)
    assert ended["state"] == "lost"
    assert "container has disappeared" in ended["cause"]["message"]


def test_predictions_go_on_while_the_keeper_is_away(stack: Stack, rest: Rest) -> None:
    endpoint = Endpoint.of_the_demo(stack, rest)
    killed = stack.kill("keeper")
    began = time.monotonic()
    while time.monotonic() - began < 2:
        assert endpoint.knows_the_key()
    stack.wait_for_restart("keeper", killed)

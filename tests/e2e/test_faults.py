"""What breaks, and what must hold while it does."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest
import requests

from tests.e2e.load import Load
from tests.e2e.scenes import Endpoint, Scripts
from tests.e2e.stack import ROOT, Rest, Stack, own_environment, wait_for


@pytest.fixture(scope="module")
def scripts(rest: Rest) -> Scripts:
    """A project of scripts."""
    return Scripts.new(rest, f"faults-{int(time.time())}")


@pytest.fixture(scope="module")
def endpoint(stack: Stack, rest: Rest) -> Endpoint:
    """The demo's endpoint."""
    return Endpoint.of_the_demo(stack, rest)


def predict(endpoint: Endpoint, body: bytes | str, key: str | None = None, url: str = "") -> requests.Response:
    """One request to the gateway."""
    headers = {"Authorization": f"Bearer {endpoint.key if key is None else key}", "Content-Type": "application/json"}
    return requests.post(url or endpoint.url, data=body, headers=headers, timeout=60)


# --- runs that go wrong -----------------------------------------------------------------------------------------------


def test_a_script_that_raises_is_failed_and_the_page_shows_the_last_lines(scripts: Scripts, stack: Stack) -> None:
    run = scripts.wait(scripts.start("print('first')\nraise ValueError('the column is missing')"))
    assert run["state"] == "failed"
    assert run["exit_code"] == 1
    assert "ValueError: the column is missing" in run["cause"]["tail"]
    assert run["cause"]["message"]
    assert run["cause"]["remedy"]


def test_a_script_that_is_killed_is_failed_with_the_signal_named(scripts: Scripts) -> None:
    run = scripts.wait(scripts.start("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"))
    assert run["state"] == "failed"
    assert "SIGKILL" in run["cause"]["message"]


def test_a_script_that_fills_memory_is_out_of_memory(scripts: Scripts) -> None:
    code = "held = []\nwhile True:\n    held.append(bytearray(50_000_000))\n    print(len(held), flush=True)"
    run = scripts.wait(scripts.start(code, profile="small"))
    assert run["state"] == "out_of_memory"
    assert "memory" in run["cause"]["message"]


def test_a_script_that_never_ends_is_timed_out(scripts: Scripts) -> None:
    run = scripts.wait(
        scripts.start("import time\nprint('on and on', flush=True)\ntime.sleep(900)", timeout_seconds=10)
    )
    assert run["state"] == "timed_out"
    assert "on and on" in run["cause"]["tail"]


def test_a_run_can_be_cancelled(scripts: Scripts, rest: Rest) -> None:
    run = scripts.start("import time\ntime.sleep(900)")
    scripts.wait(run, {"running"})
    rest.post(f"runs/{run['id']}/cancellation/", {"reason": "a test"})
    assert scripts.wait(run)["state"] == "cancelled"


# --- killed parts -----------------------------------------------------------------------------------------------------

SLOW_SCRIPT = """
import os, time
with open(os.environ["MARK"], "a") as mark:
    mark.write(f"{os.getpid()}\\n")
time.sleep(SECONDS)
print("came to the end")
"""


@pytest.mark.parametrize("victim", ["worker", "watcher"])
def test_killing_a_part_neither_loses_nor_doubles_a_run(
    victim: str, scripts: Scripts, stack: Stack, rest: Rest, tmp_path: object
) -> None:
    mark = f"{tmp_path}/mark"
    code = SLOW_SCRIPT.replace('os.environ["MARK"]', repr(mark))
    run = scripts.start(code.replace("SECONDS", "10"))
    scripts.wait(run, {"running"})
    killed = stack.kill(victim)
    stack.wait_for_restart(victim, killed)
    second = scripts.start(code.replace("SECONDS", "0"))
    assert scripts.wait(run)["state"] == "succeeded"
    assert "came to the end" in scripts.log(run)
    assert scripts.wait(second)["state"] == "succeeded"
    with open(mark) as file:
        assert len(file.readlines()) == 2


def test_killing_the_gateway_under_load_loses_no_acknowledged_prediction(stack: Stack, endpoint: Endpoint) -> None:
    with Load(endpoint.url, endpoint.key, endpoint.record) as load:
        wait_for("answers before the kill", lambda: load.count > 50)
        killed = stack.kill("gateway")
        stack.wait_for_restart("gateway", killed)
        before = load.count
        wait_for("answers after the kill", lambda: load.count > before + 50)
    assert load.doubled == []
    endpoint.wait_until_recorded(load.acknowledged)


def test_killing_the_shipper_under_load_loses_and_doubles_nothing(stack: Stack, endpoint: Endpoint) -> None:
    with Load(endpoint.url, endpoint.key, endpoint.record) as load:
        for _ in range(2):
            before = load.count
            wait_for("answers", lambda before=before: load.count > before + 50)  # type: ignore[misc]
            killed = stack.kill("shipper")
            stack.wait_for_restart("shipper", killed)
    assert load.failures == {}
    endpoint.wait_until_recorded(load.acknowledged)


def test_killing_one_of_two_gateway_processes_loses_no_acknowledged_prediction(
    stack: Stack, endpoint: Endpoint
) -> None:
    supervisor = psutil.Process(stack.platform["processes"]["gateway"]["pid"])
    with Load(endpoint.url, endpoint.key, endpoint.record, clients=8) as load:
        wait_for("answers before the kill", lambda: load.count > 50)
        victim = supervisor.children()[0]
        victim.kill()
        wait_for("two processes again", lambda: len(gateway_children(supervisor, victim)) == 2)
        before = load.count
        wait_for("answers after the kill", lambda: load.count > before + 50)
    assert supervisor.is_running()
    # The connections of the one that was killed broke; nobody was refused.
    assert set(load.failures) <= {"ConnectionError", "ChunkedEncodingError"}
    assert load.doubled == []
    endpoint.wait_until_recorded(load.acknowledged)


def gateway_children(supervisor: psutil.Process, victim: psutil.Process) -> list[psutil.Process]:
    """The gateway's processes that are still there or there again."""
    return [child for child in supervisor.children() if child.pid != victim.pid]


def test_killing_redis_under_load_loses_and_refuses_nothing(stack: Stack, endpoint: Endpoint) -> None:
    with Load(endpoint.url, endpoint.key, endpoint.record) as load:
        wait_for("answers before the kill", lambda: load.count > 50)
        killed = stack.kill("redis")
        stack.wait_for_restart("redis", killed)
        before = load.count
        wait_for("answers after the kill", lambda: load.count > before + 50)
    assert load.failures == {}
    assert load.doubled == []
    endpoint.wait_until_recorded(load.acknowledged)


def test_a_model_server_killed_under_load_is_replaced_and_nothing_is_lost(stack: Stack, endpoint: Endpoint) -> None:
    with Load(endpoint.url, endpoint.key, endpoint.record) as load:
        wait_for("answers before the kill", lambda: load.count > 50)
        replicas = [
            process
            for process in psutil.process_iter(["cmdline"])
            if "modelwright_runtime.server" in (line := process.info["cmdline"] or [])
            and any(str(stack.directory) in word for word in line)
        ]
        assert replicas
        for replica in replicas:
            replica.kill()
        before = load.count
        wait_for("answers by a new replica", lambda: load.count > before + 50, 180)
    # Until it is replaced nobody can answer, and that is what is said.
    assert {failure[:3] for failure in load.failures} <= {"503"}
    assert load.doubled == []
    endpoint.wait_until_recorded(load.acknowledged)


def test_a_full_disk_below_the_spool_refuses_with_503_and_recovers_by_itself(stack: Stack, endpoint: Endpoint) -> None:
    supervisor = psutil.Process(stack.platform["processes"]["gateway"]["pid"])
    unlimited = resource.RLIM_INFINITY
    with Load(endpoint.url, endpoint.key, endpoint.record) as load:
        wait_for("answers before", lambda: load.count > 50)
        for child in supervisor.children():
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (1, unlimited))
        wait_for("refusals", lambda: sum(load.failures.values()) > 20)
        for child in supervisor.children():
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        before = load.count
        wait_for("answers after", lambda: load.count > before + 50)
    assert {failure[:3] for failure in load.failures} == {"503"}
    assert all("Free space" in failure for failure in load.failures)
    assert load.doubled == []
    endpoint.wait_until_recorded(load.acknowledged)


def test_predictions_go_on_while_postgresql_is_stopped(stack: Stack, endpoint: Endpoint) -> None:
    with Load(endpoint.url, endpoint.key, endpoint.record, clients=2) as load:
        wait_for("answers before", lambda: load.count > 20)
        with stopped_postgresql(stack):
            before = load.count
            wait_for("answers without PostgreSQL", lambda: load.count > before + 50)
            time.sleep(3)
    assert load.failures == {}
    endpoint.wait_until_recorded(load.acknowledged)


@contextmanager
def stopped_postgresql(stack: Stack) -> Iterator[None]:
    """All of it is stopped until the block ends: it takes connections and answers nothing."""
    postgres = psutil.Process(stack.platform["processes"]["postgres"]["pid"])
    stopped: list[psutil.Process] = []
    try:
        # The one that makes the others first: then no more come. Some end by themselves meanwhile.
        postgres.suspend()
        stopped.append(postgres)
        for process in postgres.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.suspend()
                stopped.append(process)
        yield
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def answers_until_good(rest: Rest, path: str) -> set[int]:
    """Ask again and again until the API answers well; returns every status that came."""
    seen: set[int] = set()

    def good() -> bool:
        seen.add(status := rest.session.get(f"{rest.web_url}/api/v1/{path}", timeout=60).status_code)
        return status == 200

    wait_for("the API again", good)
    return seen


def test_killing_postgresql_loses_neither_predictions_nor_a_run(
    stack: Stack, endpoint: Endpoint, rest: Rest, scripts: Scripts
) -> None:
    run = scripts.start("import time\ntime.sleep(8)\nprint('came to the end')")
    scripts.wait(run, {"running"})
    with Load(endpoint.url, endpoint.key, endpoint.record, clients=2) as load:
        wait_for("answers before the kill", lambda: load.count > 20)
        killed = stack.kill("postgres")
        before = load.count
        problem = rest.session.get(f"{rest.web_url}/api/v1/runs/{run['id']}/", timeout=60)
        wait_for("answers without PostgreSQL", lambda: load.count > before + 50)
        stack.wait_for_restart("postgres", killed)
        said = answers_until_good(rest, f"runs/{run['id']}/")
        before = load.count
        wait_for("answers after the restart", lambda: load.count > before + 50)
    assert load.failures == {}
    assert {problem.status_code, *said} <= {200, 503}
    assert scripts.wait(run)["state"] == "succeeded"
    assert scripts.log(run).count("came to the end") == 1
    endpoint.wait_until_recorded(load.acknowledged)
    after = scripts.wait(scripts.start("print('a run after the restart')"))
    assert after["state"] == "succeeded"


# --- switching --------------------------------------------------------------------------------------------------------


def test_switch_and_rollback_under_load_refuse_nothing(stack: Stack, endpoint: Endpoint, rest: Rest) -> None:
    deployments = rest.get(f"endpoints/{endpoint.id}/deployments/")["results"]
    second = next(row for row in deployments if row["targets"][0]["version"] == 2)

    def live(deployment: dict[str, object]) -> bool:
        return bool(rest.get(f"deployments/{deployment['id']}/")["state"] == "live")

    with Load(endpoint.url, endpoint.key, endpoint.record) as load:
        for _ in range(3):
            body = {"model_version": second["targets"][0]["model_version"], "reason": "switch under load"}
            made = rest.post(f"endpoints/{endpoint.id}/deployments/", body)
            wait_for("version 2 live", lambda made=made: live(made), 180)  # type: ignore[misc]
            back = rest.post(f"endpoints/{endpoint.id}/rollbacks/", {"reason": "back under load"})
            wait_for("version 1 live again", lambda back=back: live(back), 180)  # type: ignore[misc]
    assert load.failures == {}
    assert set(load.acknowledged.values()) == {1, 2}
    endpoint.wait_until_recorded(load.acknowledged)


def test_going_back_by_command_while_postgresql_is_stopped_is_kept_once_it_is_back(
    stack: Stack, endpoint: Endpoint, rest: Rest
) -> None:
    deployments = rest.get(f"endpoints/{endpoint.id}/deployments/")["results"]
    second = next(row for row in deployments if row["targets"][0]["version"] == 2)
    name = "/".join(endpoint.url.split("/")[-3:-1])

    def newest() -> dict[str, Any]:
        row: dict[str, Any] = rest.get(f"endpoints/{endpoint.id}/deployments/")["results"][0]
        return row

    with Load(endpoint.url, endpoint.key, endpoint.record, clients=2) as load:
        body = {"model_version": second["targets"][0]["model_version"], "reason": "to go back from"}
        made = rest.post(f"endpoints/{endpoint.id}/deployments/", body)
        wait_for("version 2 live", lambda: newest()["state"] == "live", 180)
        before = load.count
        wait_for("answers by version 2", lambda: load.count > before + 20)
        with stopped_postgresql(stack):
            done = subprocess.run(
                [str(ROOT / "modelwright"), "rollback", name, "--reason", "the database is gone, and 2 is worse"],
                env=own_environment() | {"MODELWRIGHT_DATA_DIR": str(stack.directory)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"instead of deployment {made['number']}" in done.stdout
            answer = predict(endpoint, json.dumps({"records": [endpoint.record]})).json()
            assert (answer["version"], answer["deployment"]) == (1, made["number"] + 1)
            load.acknowledged[answer["prediction_id"]] = answer["version"]
        answers_until_good(rest, f"endpoints/{endpoint.id}/")
        wait_for("a deployment of it", lambda: newest()["number"] == made["number"] + 1 and newest()["state"] == "live")
    kept = newest()
    assert (kept["kind"], kept["is_emergency"]) == ("rollback", True)
    assert kept["reason"] == "the database is gone, and 2 is worse"
    assert kept["id"].replace("-", "") != made["id"].replace("-", "")
    assert load.failures == {}
    assert predict(endpoint, json.dumps({"records": [endpoint.record]})).json()["version"] == 1
    endpoint.wait_until_recorded(load.acknowledged)


# --- bad input --------------------------------------------------------------------------------------------------------


def bad_bodies(record: dict[str, object]) -> dict[str, tuple[bytes | str, int]]:
    """What a client may get wrong, and the answer's status."""
    dumps = json.dumps
    column = next(name for name, value in record.items() if isinstance(value, int | float))
    return {
        "broken JSON": ('{"records": [', 400),
        "no records": ("{}", 422),
        "a missing column": (dumps({"records": [{k: v for k, v in record.items() if k != column}]}), 422),
        "a column too many": (dumps({"records": [{**record, "no_such_column": 1}]}), 422),
        "a text for a number": (dumps({"records": [{**record, column: "many"}]}), 422),
        "null where none is allowed": (dumps({"records": [{**record, column: None}]}), 422),
        "6 MB": (dumps({"records": [{**record, "padding": "x" * 6_000_000}]}), 413),
    }


def test_bad_input_is_explained_recorded_nowhere_and_harms_nothing(
    stack: Stack, endpoint: Endpoint, rest: Rest
) -> None:
    good = json.dumps({"records": [endpoint.record]})
    first = predict(endpoint, good)
    assert first.status_code == 200
    endpoint.wait_until_recorded({first.json()["prediction_id"]: 1})
    newest = rest.get(f"endpoints/{endpoint.id}/predictions/")["results"][0]["id"]
    for name, (body, status) in bad_bodies(endpoint.record).items():
        answer = predict(endpoint, body)
        assert answer.status_code == status, (name, answer.text)
        problem = answer.json()
        assert problem["detail"], name
        assert problem["remedy"], name
    assert predict(endpoint, good, key="mwk_wrong").status_code == 401
    unknown = predict(endpoint, good, url=endpoint.url.replace("/predict", "-unknown/predict"))
    assert unknown.status_code in (401, 404)
    last = predict(endpoint, good)
    assert last.status_code == 200
    endpoint.wait_until_recorded({last.json()["prediction_id"]: 1})
    rows = rest.get(f"endpoints/{endpoint.id}/predictions/")["results"]
    assert rows[1]["id"] == newest

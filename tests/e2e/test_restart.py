"""Ctrl-C, and `./modelwright up` on what was there before."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.e2e.scenes import Endpoint
from tests.e2e.stack import Rest, Stack, wait_for

STOP_SECONDS = 15.0
RUNNING = "Modelwright runs at"
# Of the rollout, after the restart.
SAME = ("state", "step", "step_began_at", "deployment", "strategy")


@pytest.fixture
def endpoint(stack: Stack, rest: Rest) -> Iterator[Endpoint]:
    """The demo's endpoint, which is left as it was found."""
    endpoint = Endpoint.of_the_demo(stack, rest)
    yield endpoint
    for rollout in rest.get(f"endpoints/{endpoint.id}/rollouts/?state=running")["results"]:
        rest.post(f"rollouts/{rollout['id']}/stop/", {"reason": "The test is over"})
    rest.call("PATCH", f"endpoints/{endpoint.id}/", {"min_replicas": 1, "max_replicas": 1})


def test_ctrl_c_leaves_no_process_and_the_next_start_serves_again_by_itself(
    stack: Stack, rest: Rest, endpoint: Endpoint
) -> None:
    rollout = begin_a_canary(rest, endpoint)
    asked = wait_for("an answer by version 1", lambda: ask(endpoint, version=1))
    endpoint.wait_until_recorded({asked["prediction_id"]: asked["version"]})
    known = rest.get(f"predictions/{asked['prediction_id']}/")
    project = rest.get(f"endpoints/{endpoint.id}/")["project"]
    runs = rest.get(f"projects/{project}/runs/")["results"]
    assert runs

    stop_by_ctrl_c(stack)
    printed = len(stack.output)
    stack.start("up")
    stack.wait_for_line(RUNNING, printed, 300)

    answer = wait_for("an answer after the start", lambda: ask(endpoint, version=1), 180)
    assert answer["version"] == asked["version"]
    assert answer["predictions"] == asked["predictions"]
    assert rest.get(f"predictions/{asked['prediction_id']}/") == known
    assert rest.get(f"projects/{project}/runs/")["results"] == runs
    endpoint.wait_until_recorded({answer["prediction_id"]: answer["version"]})

    wait_for("an answer by the canary", lambda: ask(endpoint, version=2), 180)
    wait_for("two replicas of each version", lambda: healthy(rest, endpoint) == [2, 2], 180)
    after = rest.get(f"rollouts/{rollout['id']}/")
    assert {name: after[name] for name in SAME} == {name: rollout[name] for name in SAME}, after
    # It is still looked after: no replica that was stopped with the platform counts as one that died.
    counted = after["evidence"].get("candidate", {}).get("requests", 0)
    wait_for("the canary's requests counted", lambda: ask(endpoint) and requests_seen(rest, rollout) > counted, 120)


def begin_a_canary(rest: Rest, endpoint: Endpoint) -> dict[str, Any]:
    """Two replicas of each version, and half of the requests for version 2; it would stop at the first replica that
    dies."""
    rest.call("PATCH", f"endpoints/{endpoint.id}/", {"min_replicas": 2, "max_replicas": 2})
    first = rest.get(f"endpoints/{endpoint.id}/")["live"]["targets"][0]["model_version"]
    deployments = rest.get(f"endpoints/{endpoint.id}/deployments/")["results"]
    others = [target["model_version"] for row in deployments for target in row["targets"]]
    plan = {
        "model_version": next(other for other in others if other != first),
        "steps": [{"weight": 50, "minutes": 600}],
        "conditions": {"max_replica_deaths": 0, "max_p99_ratio": None, "min_requests": 2},
        "reason": "It is to outlast a restart",
    }
    begun = rest.post(f"endpoints/{endpoint.id}/rollouts/", plan)

    def serves() -> dict[str, Any] | None:
        found: dict[str, Any] = rest.get(f"rollouts/{begun['id']}/")
        assert found["state"] in ("pending", "running"), found
        both = {1, 2} <= {(ask(endpoint) or {}).get("version") for _ in range(8)}
        return found if found["step_began_at"] and both else None

    rollout = wait_for("the canary's first step", serves, 180)
    wait_for("two replicas of each version", lambda: healthy(rest, endpoint) == [2, 2], 120)
    return rollout


def healthy(rest: Rest, endpoint: Endpoint) -> list[int]:
    """How many replicas of each version answer."""
    found = rest.get(f"endpoints/{endpoint.id}/replicas/")["results"]
    return sorted(Counter(each["model_version"] for each in found if each["healthy_at"]).values())


def requests_seen(rest: Rest, rollout: dict[str, Any]) -> int:
    """Requests of the candidate in the figures that the rollout looked at last."""
    found = rest.get(f"rollouts/{rollout['id']}/")
    assert found["state"] == "running", found
    return int(found["evidence"].get("candidate", {}).get("requests", 0))


def stop_by_ctrl_c(stack: Stack) -> None:
    """Interrupt the command; nothing that belongs to the data directory may be left after STOP_SECONDS."""
    before = stack.running()
    assert before is not None
    assert len(stack.processes()) > 5
    started = time.monotonic()
    before.send_signal(signal.SIGINT)
    wait_for("no process of the data directory", lambda: not stack.processes(), 60)
    took = time.monotonic() - started
    assert took < STOP_SECONDS, f"stopping took {took:.1f} s:\n{stack.output[-2000:]}"
    if stack.process is not None:
        assert stack.process.wait(10) == 0


def ask(endpoint: Endpoint, version: int | None = None) -> dict[str, Any] | None:
    """One prediction, or None while nobody answers, or where another version did than the one wanted."""
    headers = {"Authorization": f"Bearer {endpoint.key}", "Content-Type": "application/json"}
    body = json.dumps({"records": [endpoint.record]})
    try:
        response = requests.post(endpoint.url, data=body, headers=headers, timeout=60)
    except requests.RequestException:
        return None
    answer: dict[str, Any] | None = response.json() if response.status_code == 200 else None
    return answer if answer and version in (None, answer["version"]) else None

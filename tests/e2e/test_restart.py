"""Ctrl-C, and `./modelwright up` on what was there before."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import requests

from tests.e2e.scenes import Endpoint
from tests.e2e.stack import Rest, Stack, wait_for

STOP_SECONDS = 15.0
RUNNING = "Modelwright runs at"


def test_ctrl_c_leaves_no_process_and_the_next_start_serves_again_by_itself(stack: Stack, rest: Rest) -> None:
    endpoint = Endpoint.of_the_demo(stack, rest)
    asked = ask(endpoint)
    assert asked is not None
    endpoint.wait_until_recorded({asked["prediction_id"]: asked["version"]})
    known = rest.get(f"predictions/{asked['prediction_id']}/")
    project = rest.get(f"endpoints/{endpoint.id}/")["project"]
    runs = rest.get(f"projects/{project}/runs/")["results"]
    assert runs

    stop_by_ctrl_c(stack)
    printed = len(stack.output)
    stack.start("up")
    stack.wait_for_line(RUNNING, printed, 300)

    answer = wait_for("an answer after the start", lambda: ask(endpoint), 180)
    assert answer["version"] == asked["version"]
    assert answer["predictions"] == asked["predictions"]
    assert rest.get(f"predictions/{asked['prediction_id']}/") == known
    assert rest.get(f"projects/{project}/runs/")["results"] == runs
    endpoint.wait_until_recorded({answer["prediction_id"]: answer["version"]})


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


def ask(endpoint: Endpoint) -> dict[str, Any] | None:
    """One prediction, or None while nobody answers."""
    headers = {"Authorization": f"Bearer {endpoint.key}", "Content-Type": "application/json"}
    body = json.dumps({"records": [endpoint.record]})
    try:
        response = requests.post(endpoint.url, data=body, headers=headers, timeout=60)
    except requests.RequestException:
        return None
    answer: dict[str, Any] | None = response.json() if response.status_code == 200 else None
    return answer

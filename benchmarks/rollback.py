"""How quickly an endpoint goes back, and what clients notice of it: switches under constant load.

    uv run python -m benchmarks.rollback [--switches 200] [--rate 200] [--platform FILE]

Starts a platform in a folder of its own with its demo (or uses the one whose `platform.json` is given, after its demo),
whose endpoint has two versions that are warm. A process of its own asks for predictions at a constant rate, over four
connections, while `POST …/rollbacks/` is asked for again and again, each going back to what served just before. Of
each: from sending the request until the first answer by the earlier version has come, and until its own answer says
`live`. Counts failed requests, and requests that were sent after that answer and yet answered by what served before.

Ends with 1 where a bar is missed: no failed request, no such late answer, a median below 100 ms.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

from modelwright.local.demo.client import Client, sign_in, wait_for

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS = 4
BAR_SECONDS = 0.100
START_SECONDS = 900
QUIET_SECONDS = 0.25


class Answer(NamedTuple):
    """One request of the load: when it was sent, when answered, its status, and the deployment that answered."""

    sent: float
    answered: float
    status: int
    deployment: int


class Switch(NamedTuple):
    """One rollback: its number, when it was asked for and answered, and whether the answer said that it serves."""

    number: int
    asked: float
    answered: float
    is_live: bool


@contextmanager
def platform(folder: Path) -> Iterator[dict[str, Any]]:
    """A platform of its own after its demo; the content of its `platform.json`."""
    log = folder.parent / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(ROOT / "modelwright"), "demo", "--data-dir", str(folder)],
            stdout=output,
            stderr=output,
            env={**os.environ, "MODELWRIGHT_COMPILE": "off"},
        )
    try:
        ready = "Ctrl-C stops everything"
        wait_for(lambda: ready in log.read_text(), START_SECONDS, f"The end of the demo (see {log})", every=1)
        yield json.loads((folder / "platform.json").read_text())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def load(address: str, path: str, key: str, body: bytes, rate: float, stop: Event, found: Any) -> None:
    """Ask at the rate until `stop` is set, then hand in every answer. Runs in a process of its own."""
    answers: list[list[Answer]] = [[] for _ in range(CONNECTIONS)]
    threads = [
        threading.Thread(target=_ask, args=(address, path, key, body, rate / CONNECTIONS, stop, own)) for own in answers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.put([tuple(answer) for own in answers for answer in own])


def _ask(address: str, path: str, key: str, body: bytes, rate: float, stop: Event, own: list[Answer]) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(address, timeout=60)
    due = time.time()
    while not stop.is_set():
        due = max(due + 1 / rate, time.time() - 1)
        time.sleep(max(0.0, due - time.time()))
        sent, status, number = time.time(), 0, 0
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            status = answer.status
            number = int(json.loads(content)["deployment"]) if status == 200 else 0
        except (OSError, http.client.HTTPException, ValueError, LookupError):
            connection.close()
        own.append(Answer(sent, time.time(), status, number))


def switch(api: Client, endpoint: str) -> Switch:
    """Go back once."""
    asked = time.time()
    made = api.post(f"/api/v1/endpoints/{endpoint}/rollbacks/", {"reason": "benchmark"})
    return Switch(made["number"], asked, time.time(), made["state"] == "live")


def measure(state: dict[str, Any], switches: int, rate: float) -> bool:
    """Do it and print it. Whether every bar is met."""
    password = Path(state["admin"]["password_file"]).read_text().strip()
    api = sign_in(state["web_url"], "admin", password, "rollback benchmark")
    endpoint = api.get("/api/v1/endpoints/")["results"][0]
    key = api.post(f"/api/v1/endpoints/{endpoint['id']}/keys/", {"name": "benchmark"})["key"]
    address = endpoint["url"].removeprefix("http://").partition("/")[0]
    path = endpoint["url"].removeprefix(f"http://{address}")
    body = _body(address, path, key)
    context = multiprocessing.get_context("spawn")
    stop, found = context.Event(), context.Queue()
    asking = context.Process(target=load, args=(address, path, key, body, rate, stop, found))
    asking.start()
    time.sleep(3)
    done = []
    for _ in range(switches):
        done.append(switch(api, endpoint["id"]))
        time.sleep(QUIET_SECONDS)
    stop.set()
    answers = [Answer(*row) for row in found.get(timeout=60)]
    asking.join()
    return report(done, sorted(answers), rate)


def _body(address: str, path: str, key: str) -> bytes:
    """A request that the endpoint answers: the example of its OpenAPI document."""
    connection = http.client.HTTPConnection(address, timeout=60)
    headers = {"Authorization": f"Bearer {key}"}
    document: dict[str, Any] = {}

    def asked() -> bool:
        connection.request("GET", path.replace("/predict", "/openapi.json"), headers=headers)
        answer = connection.getresponse()
        document.update(json.loads(answer.read()))
        return answer.status == 200

    wait_for(asked, 30, "The endpoint's OpenAPI document")
    content = next(each for each in document["paths"] if each.endswith("/predict"))
    json_body = document["paths"][content]["post"]["requestBody"]["content"]["application/json"]
    example = json_body.get("example") or next(iter(json_body["examples"].values()))["value"]
    return json.dumps(example).encode()


def report(switches: Sequence[Switch], answers: Sequence[Answer], rate: float) -> bool:
    """Print what was found. Whether every bar is met."""
    failed = [answer for answer in answers if answer.status != 200]
    effects, late, unsaid = [], 0, 0
    for one in switches:
        first = min((answer.answered for answer in answers if answer.deployment == one.number), default=None)
        if first is not None:
            effects.append(first - one.asked)
        unsaid += not one.is_live
        late += sum(
            answer.sent > one.answered and 0 < answer.deployment < one.number for answer in answers if one.is_live
        )
    said = [one.answered - one.asked for one in switches]
    seconds = answers[-1].answered - answers[0].sent
    print(f"{len(switches)} switches under {len(answers) / seconds:.0f} requests a second (asked for: {rate:.0f})")
    print(f"requests {len(answers)}, failed {len(failed)}")
    print(f"took effect (first answer by the earlier version): {_figures(effects)}, of {len(effects)} switches")
    print(f"acknowledged as live: {_figures(said)}; {unsaid} answers did not say so yet")
    print(f"answers by what served before, asked for after the acknowledgement: {late}")
    took = [answer.answered - answer.sent for answer in answers if answer.status == 200]
    print(f"predictions: {_figures(took)}")
    return not failed and not late and len(effects) == len(switches) and statistics.median(effects) < BAR_SECONDS


def _figures(seconds: Sequence[float]) -> str:
    if not seconds:
        return "never"
    cuts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [seconds[0]] * 99
    return f"median {1000 * cuts[49]:.0f} ms, p95 {1000 * cuts[94]:.0f} ms, worst {1000 * max(seconds):.0f} ms"


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", type=int, default=200)
    parser.add_argument("--rate", type=float, default=200.0, help="predictions a second")
    parser.add_argument("--platform", type=Path, help="platform.json of a running platform, after its demo")
    options = parser.parse_args()
    if options.platform:
        return 0 if measure(json.loads(options.platform.read_text()), options.switches, options.rate) else 1
    with tempfile.TemporaryDirectory(prefix="mwr-", dir="/tmp") as folder, platform(Path(folder, "d")) as state:
        return 0 if measure(state, options.switches, options.rate) else 1


if __name__ == "__main__":
    sys.exit(main())

"""How long it takes from the click that starts a session until its JupyterLab answers, on a warm environment.

    uv run python -m benchmarks.session_start [--turns 10] [--platform FILE]

Starts a platform in a folder of its own (or uses the one whose `platform.json` is given), makes a project without
dependencies, and starts one session, which builds the environment. Then, in turns: `POST …/sessions/`, until the
session says that it is ready, which it does when Lab has answered; then it is stopped. Says the median, where the time
goes, and ends with 1 where it is not below the bar of 3 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.launch import ENDED, make_project, platform
from modelwright.local.demo.client import Client, sign_in, wait_for

BAR_SECONDS = 3.0
BUILD_SECONDS = 900
LOOK_SECONDS = 0.05


def start(api: Client, project: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """(seconds from before the POST until the session is ready, the session then). It is stopped afterwards."""
    before = time.monotonic()
    made = api.post(f"/api/v1/projects/{project['id']}/sessions/", {"profile": "small"})
    address = f"/api/v1/sessions/{made['id']}/"

    def ready() -> dict[str, Any] | None:
        found: dict[str, Any] = api.get(address)
        if found["state"] in ENDED:
            raise RuntimeError(f"The session {found['state']}: {api.get(f'{address}log/')['text'][-2000:]}")
        return found if found["is_ready"] else None

    found = wait_for(ready, BUILD_SECONDS, "JupyterLab", every=LOOK_SECONDS)
    seconds = time.monotonic() - before
    found["cpu"] = api.get(f"{address}samples/")["results"][-1]["cpu_seconds"]
    api.post(f"{address}stop/")
    wait_for(lambda: api.get(address)["state"] in ENDED, 120, "The end of a session", every=0.5)
    return seconds, found


def parts(session: dict[str, Any], workload: dict[str, Any]) -> dict[str, float]:
    """Seconds of each part, by the platform's own clock: until it was placed, its process ran, Lab answered."""
    moments = [workload["queued_at"], workload["placed_at"], workload["started_at"], session["ready_at"]]
    times = [datetime.fromisoformat(one) for one in moments]
    names = ("placed", "process started", "Lab answered")
    return {name: (b - a).total_seconds() for name, a, b in zip(names, times, times[1:], strict=False)}


def measure(state: dict[str, Any], turns: int) -> bool:
    """Take turns, print what came out, return whether the bar is met."""
    password = Path(state["admin"]["password_file"]).read_text().strip()
    api = sign_in(state["web_url"], state["admin"]["username"], password, "benchmark")
    project = make_project(api)
    seconds, _ = start(api, project)
    print(f"first start, with the build of its environment: {seconds:.1f} s", flush=True)
    took, split, cpu = [], [], []
    for turn in range(turns):
        seconds, session = start(api, project)
        workloads = api.get("/api/v1/workloads/", kind="session", limit="1")["results"]
        split.append(parts(session, workloads[0]))
        took.append(seconds)
        cpu.append(session["cpu"])
        said = ", ".join(f"{name} after {part:.2f} s" for name, part in split[-1].items())
        print(f"turn {turn + 1}: {seconds:.2f} s ({said})", flush=True)
    median = statistics.median(took)
    print(f"\nmedian {median:.2f} s, slowest {max(took):.2f} s; the bar is {BAR_SECONDS:.0f} s")
    for name in split[0]:
        print(f"  {name}: {statistics.median(one[name] for one in split):.2f} s in the median")
    print(f"  processor time of the session itself: {statistics.median(cpu):.2f} s in the median")
    print("the bar is met" if median < BAR_SECONDS else "the bar is NOT met")
    return median < BAR_SECONDS


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--platform", type=Path, help="platform.json of a running platform")
    options = parser.parse_args()
    if options.platform:
        return 0 if measure(json.loads(options.platform.read_text()), options.turns) else 1
    with (
        tempfile.TemporaryDirectory(prefix="mwl-", dir="/tmp") as folder,
        platform(Path(folder, "d"), "process") as state,
    ):
        return 0 if measure(state, options.turns) else 1


if __name__ == "__main__":
    sys.exit(main())

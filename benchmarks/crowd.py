"""Many short runs at once through one host: how many end in a minute, and whose processor time that takes."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import psutil

from modelwright.local.demo.client import Client

ASKERS = 4
SHOWN = 8
LONGEST_SECONDS = 1800
# Whose a process is, by what stands in its command line; the first that fits.
OWNERS = (
    ("containerd-shim", "engine: shim"),
    ("containerd", "engine: containerd"),
    ("dockerd", "engine: dockerd"),
    ("backends.keeper", "keeper"),
    ("manage.py watch", "watcher"),
    ("celery", "worker"),
    ("gunicorn", "web"),
    ("postgres", "postgres"),
    ("redis", "redis"),
    ("mlflow", "mlflow"),
    ("models.gateway", "gateway"),
    ("benchmarks", "this benchmark"),
)


def measure(api: Client, project: dict[str, Any], count: int) -> None:
    """Start `count` runs and wait for all; print runs per minute, where a run's time goes, and who worked."""
    before, idle = processor_seconds(), psutil.cpu_times()
    began = time.time()
    address = f"/api/v1/projects/{project['id']}/runs/"
    with ThreadPoolExecutor(ASKERS) as askers:
        ids = [run["id"] for run in askers.map(lambda _: api.post(address, {"script": "short.py"}), range(count))]
    asked = time.time() - began
    rows = wait_for_all(api, address, set(ids))
    took = max(moment(row["finished_at"]) for row in rows) - began
    after, now = processor_seconds(), psutil.cpu_times()
    failed = [row for row in rows if row["state"] != "succeeded"]
    print(f"\n{count} short runs: {took:.0f} s, {count * 60 / took:.0f} a minute; {len(failed)} did not succeed")
    print(f"asking for them took {asked:.0f} s")
    waited = [moment(row["started_at"]) - moment(row["queued_at"]) for row in rows if row["started_at"]]
    lasted = [moment(row["finished_at"]) - moment(row["started_at"]) for row in rows if row["started_at"]]
    print(f"medians: waited {statistics.median(waited):.1f} s, from start to end {statistics.median(lasted):.2f} s")
    busy = (now.user + now.system) - (idle.user + idle.system)
    cores = psutil.cpu_count() or 1
    print(f"processors busy {100 * busy / (took * cores):.0f} % of {cores}; processor seconds for each run:")
    spent = {owner: after[owner] - before.get(owner, 0.0) for owner in after}
    for owner, seconds in sorted(spent.items(), key=lambda pair: -pair[1])[:SHOWN]:
        print(f"  {owner:22} {seconds / count:6.3f}")
    print(f"  {'all, with those gone':22} {busy / count:6.3f}")


def wait_for_all(api: Client, address: str, wanted: set[str]) -> list[dict[str, Any]]:
    """The runs once all of them have ended. Asked seldom, so that the asking costs little."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        rows = [row for row in api.pages(address, limit="200") if row["id"] in wanted]
        if len(rows) == len(wanted) and all(row["finished_at"] for row in rows):
            return rows
        time.sleep(2)
    raise TimeoutError(f"the runs did not end within {LONGEST_SECONDS} s")


def processor_seconds() -> dict[str, float]:
    """Processor seconds of everything alive, by whose it is. What was waited for counts for its parent."""
    spent: defaultdict[str, float] = defaultdict(float)
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        line, times = " ".join(process.info["cmdline"] or ()), process.info["cpu_times"]
        owner = next((owner for text, owner in OWNERS if text in line), "others")
        if times is not None:
            spent[owner] += times.user + times.system + times.children_user + times.children_system
    return dict(spent)


def moment(text: str) -> float:
    """Unix seconds of a time of the API."""
    return datetime.fromisoformat(text).timestamp()

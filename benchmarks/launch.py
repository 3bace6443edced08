"""How much later a script's first line runs when the platform starts it than when a person does.

    uv run python -m benchmarks.launch [--turns 15] [--platform FILE]
    uv run python -m benchmarks.launch --backend docker [--turns 15] [--runs 200] [--platform FILE]

Starts a platform in a folder of its own (or uses the one whose `platform.json` is given), makes a project with one
script that prints the time first, and then takes turns: `POST run` against starting the same script by hand, with the
same interpreter, in a checkout of the same commit, with the same environment variables. Both are measured from the
moment before (the call, the fork) to the time that the script printed. Says the medians, where the platform's share
goes, and whether it stays below the bar of 300 ms.

With `--backend docker` the other side is `docker run` of the same image, with the same checkout, runtime and variables,
and the bar is a ratio of 1.5. `--runs` then starts so many runs at once and says how many end in a minute, and whose
processor time that takes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import crowd
from modelwright.local import keeper
from modelwright.local.demo.client import Client, sign_in, wait_for
from modelwright.local.layout import Layout

ROOT = Path(__file__).resolve().parents[1]
BAR_SECONDS = 0.300
BAR_RATIO = 1.5
START_SECONDS = 600
RUN_SECONDS = 300
# It prints its own environment last, so that the same can be given to it by hand.
SCRIPT = """import time
print(time.time(), flush=True)
import json, os, sys
print(json.dumps([sys.executable, dict(os.environ)]))
"""
ENDED = {"succeeded", "failed", "cancelled", "timed_out", "out_of_memory", "lost"}


@contextmanager
def platform(folder: Path, backend: str) -> Iterator[dict[str, Any]]:
    """A platform of its own; the content of its `platform.json`."""
    state = folder / "platform.json"
    log = folder.parent / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(ROOT / "modelwright"), "up", "--backend", backend, "--data-dir", str(folder)],
            stdout=output,
            stderr=output,
        )
    try:
        ready = "Ctrl-C stops everything"
        wait_for(lambda: ready in log.read_text(), START_SECONDS, f"The start of the platform (see {log})", every=1)
        yield json.loads(state.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def make_project(api: Client) -> dict[str, Any]:
    """A workspace and a project with the script and no dependencies."""
    name = f"launch-{os.getpid()}"
    workspace = api.post("/api/v1/workspaces/", {"name": name})
    project: dict[str, Any] = api.post(f"/api/v1/workspaces/{workspace['id']}/projects/", {"name": name})
    head = api.get(f"/api/v1/projects/{project['id']}/commits/")["results"][0]["sha"]
    changes = [
        {"path": "first.py", "content": SCRIPT},
        {"path": "long.py", "content": "import time; time.sleep(600)"},
        {"path": "short.py", "content": "print('done')"},
        {"path": "requirements.txt", "content": "# none\n"},
    ]
    body = {"message": "The script", "changes": changes, "expected_head": head}
    api.post(f"/api/v1/projects/{project['id']}/commits/", body)
    return project


def by_platform(api: Client, project: dict[str, Any]) -> tuple[float, dict[str, Any], list[str]]:
    """(seconds from before the POST to the script's first line, the run, what the script printed)."""
    before = time.time()
    run = api.post(f"/api/v1/projects/{project['id']}/runs/", {"script": "first.py"})
    address = f"/api/v1/runs/{run['id']}/"

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = api.get(address)
        return found if found["state"] in ENDED else None

    # Asked seldom, so that the asking does not slow down what is measured.
    run = wait_for(ended, RUN_SECONDS, "The end of a run", every=0.5)
    printed = api.get(f"{address}log/")["text"].splitlines()
    if run["state"] != "succeeded":
        raise RuntimeError(f"The run {run['state']}: {run['cause']}")
    return float(printed[0]) - before, run, printed


def by_hand(python: str, environment: dict[str, str], folder: Path) -> float:
    """Seconds from before the fork to the script's first line."""
    before = time.time()
    done = subprocess.run([python, "first.py"], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[0]) - before


def image_of_runs(api: Client, project: dict[str, Any], state: dict[str, Any]) -> str:
    """The image that the project's runs have, as the engine names it while one runs."""
    run = api.post(f"/api/v1/projects/{project['id']}/runs/", {"script": "long.py"})
    instance = keeper.instance(Layout(Path(state["environment"]["MODELWRIGHT_DATA_DIR"])))
    labels = ["--filter", f"label=modelwright.instance={instance}", "--filter", "label=modelwright.kind=run"]

    def look() -> str:
        listed = ["docker", "ps", *labels, "--format", "{{.Image}}"]
        return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.strip()

    image: str = wait_for(look, RUN_SECONDS, "The container of a run")
    api.post(f"/api/v1/runs/{run['id']}/cancellation/")
    wait_for(lambda: not look(), RUN_SECONDS, "The end of that container")
    return image


def by_docker(image: str, python: str, environment: dict[str, str], folder: Path) -> float:
    """Seconds from before `docker run` to the script's first line, in a container of the run's image."""
    variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    runtime = environment["PYTHONPATH"].split(":")[0]
    mounts = ["--volume", f"{folder}:{folder}", "--volume", f"{runtime}:{runtime}:ro", "--workdir", str(folder)]
    command = ["docker", "run", "--rm", "--network", "none", *mounts, *variables, image, python, "first.py"]
    before = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[0]) - before


def compare(state: dict[str, Any], turns: int, backend: str, runs: int) -> bool:
    """Take turns, print what came out, return whether the bar is met."""
    password = Path(state["admin"]["password_file"]).read_text().strip()
    api = sign_in(state["web_url"], state["admin"]["username"], password, "benchmark")
    project = make_project(api)
    _, _, printed = by_platform(api, project)
    image = image_of_runs(api, project, state) if backend == "docker" else ""
    python, environment = json.loads(printed[1])
    data = Path(state["environment"]["MODELWRIGHT_DATA_DIR"])
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        repository = data / "repositories" / f"{project['id']}.git"
        subprocess.run(["git", "clone", "-q", str(repository), f"{folder}/work"], check=True)
        environment = {
            name: value.replace(environment["HOME"], f"{folder}/work") for name, value in environment.items()
        }
        for turn in range(turns):
            work = Path(folder, "work")
            theirs.append(by_docker(image, python, environment, work) if image else by_hand(python, environment, work))
            seconds, _, _ = by_platform(api, project)
            ours.append(seconds)
            print(f"turn {turn + 1}: by hand {theirs[-1] * 1000:.0f} ms, platform {seconds * 1000:.0f} ms", flush=True)
    more = statistics.median(ours) - statistics.median(theirs)
    print(f"\nmedian by hand   {statistics.median(theirs) * 1000:6.0f} ms")
    print(f"median platform  {statistics.median(ours) * 1000:6.0f} ms (slowest {max(ours) * 1000:.0f} ms)")
    ratio = statistics.median(ours) / statistics.median(theirs)
    met = ratio <= BAR_RATIO if image else more <= BAR_SECONDS
    print(f"more             {more * 1000:6.0f} ms; the bar is {BAR_SECONDS * 1000:.0f} ms for processes")
    print(f"ratio            {ratio:6.2f}   ; the bar is {BAR_RATIO} for containers")
    print("the bar is met" if met else "the bar is NOT met")
    if runs:
        crowd.measure(api, project, runs)
    return met


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--backend", choices=["process", "docker"], default="process")
    parser.add_argument("--runs", type=int, default=0, help="so many short runs at once, to count them by the minute")
    parser.add_argument("--platform", type=Path, help="platform.json of a running platform")
    options = parser.parse_args()
    if options.platform:
        state = json.loads(options.platform.read_text())
        return 0 if compare(state, options.turns, options.backend, options.runs) else 1
    with (
        tempfile.TemporaryDirectory(prefix="mwl-", dir="/tmp") as folder,
        platform(Path(folder, "d"), options.backend) as state,
    ):
        return 0 if compare(state, options.turns, options.backend, options.runs) else 1


if __name__ == "__main__":
    sys.exit(main())

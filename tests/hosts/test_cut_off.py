"""Three machines: the platform on one, hosts that join on the others. One host's cable is pulled under its runs.

Everything is real but the walls between the machines, which are network namespaces: they share a disk, of which the
hosts use only the folder of stored files.
"""

from __future__ import annotations

import html
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.pages import signed_in
from tests.e2e.stack import Rest, person_token, wait_for
from tests.hosts.engines import Engine
from tests.hosts.namespaces import Machine, Network, missing

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.machines, pytest.mark.timeout(1200)]
WITHIN_SECONDS = 60

# It tells MLflow of its start, of every half second, and of its end; what it is answered goes into a file.
SCRIPT = """
import json, os, sys, time, urllib.error, urllib.request

base = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/"
headers = {"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"], "Content-Type": "application/json"}


def call(path, body):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=3) as response:
        return json.load(response)


def tell(key, value):
    try:
        call("runs/log-metric", {"run_id": run, "key": key, "value": value, "timestamp": int(time.time() * 1000)})
        answers.write("200\\n")
    except urllib.error.HTTPError as error:
        answers.write(f"{error.code}\\n")
    except OSError as error:
        answers.write("unreachable\\n")


# What is tried again need not take as long as the first time.
seconds, name = 3 if os.path.exists(sys.argv[3]) else float(sys.argv[1]), sys.argv[2]
answers = open(sys.argv[3], "a", buffering=1)
try:
    experiment = call("experiments/create", {"name": name})["experiment_id"]
except urllib.error.HTTPError:
    experiment = json.load(urllib.request.urlopen(urllib.request.Request(
        base + "experiments/get-by-name?experiment_name=" + name, headers=headers)))["experiment"]["experiment_id"]
run = call("runs/create", {"experiment_id": experiment, "start_time": int(time.time() * 1000)})["run"]["info"]["run_id"]
tell("started", 1)
print("hello from", name, flush=True)
end = time.time() + seconds
while time.time() < end:
    tell("beat", 1)
    time.sleep(0.5)
open("result.txt", "w").write("done\\n")
tell("finished", 1)
print("bye", flush=True)
"""


class Site:
    """The platform and its two hosts."""

    def __init__(self, network: Network, folder: Path) -> None:
        size = {"MODELWRIGHT_HOST_CPU": "2", "MODELWRIGHT_HOST_MEMORY_GIB": "4"}
        blobs = folder / "files"
        self.platform = network.machine(
            "p", folder, MODELWRIGHT_BLOBS=str(blobs), MODELWRIGHT_HOSTS_BLOBS=str(blobs), **size
        )
        self.a, self.b, self.c = (network.machine(name, folder, **size) for name in ("a", "b", "c"))
        self.hosts = {"a": self.a, "b": self.b}
        # Why host C, whose workloads run in containers, is missing.
        self.no_engine = ""
        self.engine: Engine | None = None
        try:
            self.engine = Engine(self.c)
        except pytest.skip.Exception as reason:
            self.no_engine = str(reason)
        else:
            self.c.environment["DOCKER_HOST"] = self.engine.address
            self.hosts["c"] = self.c
        self.containers_left: list[str] | None = None
        self.web_url = f"http://{self.platform.address}:8000"
        self.rest: Rest

    @property
    def password(self) -> str:
        """The administrator's."""
        return (self.platform.data / "secrets" / "admin-password").read_text().strip()

    def up(self) -> None:
        """Start the platform and sign in."""
        self.platform.start("up", "--hosts-address", self.platform.address)
        self.wait("the platform", self._is_up, 300)
        self.rest = Rest(self.web_url, person_token(self))  # type: ignore[arg-type]  # it has the two addresses
        self.browser = signed_in(self.web_url, "admin", self.password)

    def _is_up(self) -> bool:
        assert self.platform.ended(0) is None, "it ended"
        return "Ctrl-C stops" in self.platform.printed.read_text()

    def join(self, machine: Machine) -> None:
        """One command with a token for once."""
        token = self.rest.post("hosts/tokens/", {"labels": {"machine": machine.name}})["token"]
        backend = "docker" if machine is self.c else "process"
        machine.start("join", self.web_url, "--token", token, "--name", machine.name, "--backend", backend)

    def host(self, name: str) -> dict[str, Any]:
        """The host of that name as people see it."""
        found: list[dict[str, Any]] = self.rest.get("hosts/")["results"]
        return next((one for one in found if one["name"] == name), {"cpu": 0, "state": "unknown"})

    def is_there(self, name: str) -> bool:
        """Whether it has told what it has."""
        return bool(self.host(name)["cpu"] == 2)

    def is_back(self, name: str) -> bool:
        """Whether it is heard from again: drained, as it was before."""
        return bool(self.host(name)["state"] == "draining")

    def only(self, *names: str) -> None:
        """Let only these hosts take work."""
        for one in self.rest.get("hosts/")["results"]:
            wanted = "active" if one["name"] in names else "draining"
            if one["state"] in ("active", "draining") and one["state"] != wanted:
                self.set_host(one["name"], "activate" if wanted == "active" else "drain")

    def containers(self) -> list[str]:
        """The containers of runs on host C."""
        return [] if self.engine is None else self.engine.containers()

    def set_host(self, name: str, what: str, **body: Any) -> dict[str, Any]:
        """`drain`, `activate` or `remove` it."""
        answer: dict[str, Any] = self.rest.post(f"hosts/{self.host(name)['id']}/{what}/", body)
        return answer

    def wait(self, what: str, look: Callable[[], Any], seconds: float = 120) -> Any:
        """Wait until it is so; a failure shows what every machine has to say."""
        try:
            return wait_for(what, look, seconds)
        except AssertionError as error:
            machines = "\n".join(machine.output for machine in (self.platform, *self.hosts.values()))
            raise AssertionError(f"{error}\n{machines}") from None


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A running platform; no host has joined yet."""
    if reason := missing():
        pytest.skip(f"NOT TESTED: hosts that are cut off, because {reason}")
    # Sockets' paths must be short, and PostgreSQL's user must pass.
    folder = Path(tempfile.mkdtemp(prefix="mwh-", dir="/tmp"))
    folder.chmod(0o755)
    network, made = Network(), None
    try:
        made = Site(network, folder)
        made.up()
        yield made
    finally:
        network.close()
        if made is not None and made.engine is not None:
            made.engine.close()
        shutil.rmtree(folder, ignore_errors=True)


class Runs:
    """Runs of one script in a project of the test's own."""

    def __init__(self, site: Site) -> None:
        self.site, rest = site, site.rest
        workspace = rest.post("workspaces/", {"name": "acme"})
        self.project = rest.post(f"workspaces/{workspace['id']}/projects/", {"name": "cables"})["id"]
        head = self.rest.get(f"projects/{self.project}/commits/")["results"][0]["sha"]
        changes = [{"path": "work.py", "content": SCRIPT}, {"path": "requirements.txt", "content": ""}]
        body = {"message": "Work", "expected_head": head, "changes": changes}
        self.rest.post(f"projects/{self.project}/commits/", body)

    @property
    def rest(self) -> Rest:
        return self.site.rest

    def start(self, seconds: float, name: str, **more: Any) -> str:
        """Start one; its id."""
        arguments = [str(seconds), name, str(self.answers(name))]
        body = {"script": "work.py", "arguments": arguments, "profile": "small", **more}
        return str(self.rest.post(f"projects/{self.project}/runs/", body)["id"])

    def answers(self, name: str) -> Path:
        """What the run's calls were answered, a word each; a container writes to its own folder."""
        return Path("answers.txt") if name.endswith("-c") else self.site.platform.folder / f"answers-{name}.txt"

    def get(self, run: str) -> dict[str, Any]:
        """The run as people see it."""
        found: dict[str, Any] = self.rest.get(f"runs/{run}/")
        return found

    def wait(self, run: str, state: str, seconds: float = 120) -> dict[str, Any]:
        """Wait for its state."""

        def look() -> dict[str, Any] | None:
            found = self.get(run)
            return found if found["state"] == state else None

        found: dict[str, Any] = self.site.wait(f"run {run} {state}", look, seconds)
        return found

    def written(self, run: str) -> list[str]:
        """The files that it left, once they are collected."""
        return [file["path"] for file in self.get(run)["written"]]

    def is_given_up(self, run: str) -> bool:
        """Whether it is lost, or in its second attempt after the first was."""
        found = self.get(run)
        return bool(found["state"] == "lost" or found["attempt"] == 2)

    def says(self, run: str, *words: str) -> None:
        """The run's page shows its cause and what to do, and each of these."""
        cause = self.get(run)["cause"]
        answer = self.site.browser.get(f"{self.site.web_url}/runs/{run}/", timeout=60)
        page = html.unescape(answer.text)
        assert cause["message"]
        assert cause["remedy"]
        for text in (cause["message"], cause["remedy"], *words):
            assert text in page, f"{text!r} is not on the page of run {run}: {page[:6000]}"

    def lost_at(self, run: str) -> datetime:
        """When its first attempt was given up."""
        first = self.get(run)["attempts"][0]
        assert first["state"] == "lost"
        return datetime.fromisoformat(first["finished_at"])

    def beats(self, run: str) -> bool:
        """Whether it has told something while it works."""
        return any("beat" in told for told in self.metrics(run))

    def metrics(self, run: str) -> list[dict[str, dict[str, Any]]]:
        """What each MLflow run of it told, by key; the earliest first."""
        tracked = self.rest.get(f"runs/{run}/metrics/")["results"]
        return [{metric["key"]: metric for metric in one["metrics"]} for one in tracked]


def test_hosts_join_are_cut_off_and_come_back(site: Site) -> None:
    """One long story, because most of it is waiting."""
    for machine in site.hosts.values():
        site.join(machine)
    for name in site.hosts:
        site.wait(f"host {name}", partial(site.is_there, name))
        assert site.host(name)["labels"] == {"machine": name}
    runs = Runs(site)

    # A run on each; what it leaves is seen from the platform.
    for here in site.hosts:
        site.only(here)
        run = runs.start(1, f"first-{here}")
        assert runs.wait(run, "succeeded", 300)["host"] == here
        site.wait("collected", partial(runs.written, run), 60)
        assert "result.txt" in runs.written(run)
        assert f"hello from first-{here}" in site.rest.get(f"runs/{run}/log/")["text"]
        (told,) = runs.metrics(run)
        assert told["finished"]["points"] == 1

    # Two runs on B, one of which may be tried again, as may one in a container on C; then the cables are pulled.
    site.only("b")
    again, once = runs.start(600, "again", retries=1), runs.start(600, "once")
    for run in (again, once):
        runs.wait(run, "running")
    site.only("c")
    boxed = [runs.start(600, "again-c", retries=1)] if site.engine else []
    for run in (again, once, *boxed):
        runs.wait(run, "running")
        site.wait("its first words", partial(runs.beats, run))
    assert len(site.containers()) == len(boxed)
    site.only("a")
    for name in set(site.hosts) - {"a"}:
        site.hosts[name].cut()
    cut_at = datetime.now(UTC)
    site.wait("all given up", lambda: all(runs.is_given_up(run) for run in (again, once, *boxed)), 120)
    for run in (again, once, *boxed):
        assert (runs.lost_at(run) - cut_at).total_seconds() <= WITHIN_SECONDS
    assert {site.host(name)["state"] for name in set(site.hosts) - {"a"}} == {"offline"}
    site.containers_left = site.containers()
    runs.says(once, "b has not been heard from", "With retries, the job does that by itself.")
    # What is tried again has ended on B by itself; the other goes on there, as a replica would.
    states = {path.parent.name: json.loads(path.read_text()) for path in site.b.data.glob("workloads/*/status.json")}
    cut_off = [state for state in states.values() if "could not reach the platform" in str(state.get("message"))]
    assert len(cut_off) == 1, states
    alive = [key for key, state in states.items() if state.get("phase") == "running"]
    assert len(alive) == 1, states
    assert site.b.processes_of(alive[0])

    succeeded = runs.wait(again, "succeeded", 90)
    assert (succeeded["host"], [one["state"] for one in succeeded["attempts"]]) == ("a", ["lost", "succeeded"])

    for run in boxed:
        assert runs.wait(run, "running", 60)["host"] == "a"
        site.rest.post(f"runs/{run}/cancellation/", {})

    # The cable is back: what still runs there is stopped, nothing late counts, nothing runs twice.
    for name in set(site.hosts) - {"a"}:
        site.hosts[name].mend()
    for name in set(site.hosts) - {"a"}:
        site.wait(f"{name} again", partial(site.is_back, name), 60)
    site.wait("the end of what was given up", lambda: not site.b.processes_of(alive[0]), 60)
    answers = runs.answers("once").read_text().split()
    late = answers[answers.index("unreachable") :]
    assert set(late) == {"unreachable", "401"}, "its way was open again, and its token dead"
    first, second = runs.metrics(again)
    assert "finished" not in first
    assert second["finished"]["points"] == 1
    assert [one["started"]["points"] for one in (first, second)] == [1, 1]
    (told,) = runs.metrics(once)
    assert "finished" not in told
    assert runs.get(once)["state"] == "lost"

    # C's engine goes while a container runs in it, and stays away.
    unmanned = []
    if site.engine:
        site.only("c")
        unmanned = [runs.start(600, "unmanned-c")]
        runs.wait(unmanned[0], "running")
        site.engine.kill()

    # B takes work again, is drained, and removed: its programs end, and its way into the database is closed.
    site.only("b")
    back = runs.start(1, "back")
    assert runs.wait(back, "succeeded", 120)["host"] == "b"
    site.set_host("b", "drain")
    removed = site.set_host("b", "remove")
    assert removed["state"] == "removed"
    assert site.b.ended(90) == 1, site.b.output
    assert "was removed" in site.b.printed.read_text()
    site.b.start("host")
    assert site.b.ended(30) == 1
    assert site.host("b")["state"] == "removed"

    for run in unmanned:
        runs.wait(run, "lost", 120)
        runs.says(run, "The container engine of its host has not answered", "start the host's engine")


def test_a_cut_off_host_ends_containers_too(site: Site) -> None:
    """What the story saw of host C."""
    if site.no_engine:
        pytest.skip(f"NOT TESTED: a host with containers that is cut off. {site.no_engine}")
    assert site.containers_left == [], "what is tried again elsewhere had ended before that could begin"

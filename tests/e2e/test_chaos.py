"""Parts of the platform are killed at random under a stream of runs; at the end every run's state is the truth.

MODELWRIGHT_CHAOS_SEED repeats the choices of a session, MODELWRIGHT_CHAOS_SECONDS makes it longer. With containers
everything dies that dies without them, and the engine too, so where there is an engine host processes have their turn
only with MODELWRIGHT_CHAOS_PROCESSES=1.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tests.e2e.chaos import SCRIPT, Killer, Stream, Witness, marks_of, until_answered
from tests.e2e.engine import Engine
from tests.e2e.stack import Rest, Stack, person_token, wait_for
from tests.engine import has_engine, require_engine

SECONDS = float(os.environ.get("MODELWRIGHT_CHAOS_SECONDS", "120"))
SEED = int(os.environ.get("MODELWRIGHT_CHAOS_SEED") or random.SystemRandom().randrange(10**6))
RUNNING = "Modelwright runs at"
# More than there is: these runs sleep.
ROOM = {"MODELWRIGHT_HOST_CPU": "16", "MODELWRIGHT_HOST_MEMORY_GIB": "64"}
# How often each is killed, compared with the others.
PARTS = {"worker": 6, "watcher": 6, "redis": 4, "postgres": 4, "web": 1}
WITH_CONTAINERS = {**PARTS, "keeper": 6, "engine": 6}
LEAST_RUNS = 15

pytestmark = pytest.mark.machines


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder with a short path; it stays when a test fails."""
    path = Path(tempfile.mkdtemp(prefix="mwc-", dir="/tmp"))
    yield path
    if not request.session.testsfailed:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Stack]]:
    """Starts a platform: `start("--backend", "docker", DOCKER_HOST=…)`."""
    started: list[Stack] = []

    def run(*options: str, **environment: str) -> Stack:
        stack = Stack(folder, "up", *options, **ROOM, **environment)
        started.append(stack)
        stack.wait_for_line(RUNNING, 0, 300)
        return stack

    yield run
    for stack in started:
        stack.stop()


def has_own_engine() -> bool:
    """Whether a second engine can be started here."""
    return has_engine() and os.geteuid() == 0


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    """A container engine that may be killed."""
    require_engine()
    if not has_own_engine():
        pytest.skip("NO ENGINE OF ITS OWN: only root can start one")
    made = Engine(folder / "e")
    try:
        made.start()
        made.load()
        yield made
    finally:
        made.stop()


def new_project(rest: Rest) -> str:
    """A project with the script, in a workspace of its own; its id."""
    workspace = rest.post("workspaces/", {"name": "chaos"})
    project: str = rest.post(f"workspaces/{workspace['id']}/projects/", {"name": "chaos"})["id"]
    head = rest.get(f"projects/{project}/commits/")["results"][0]["sha"]
    changes = [{"path": "main.py", "content": SCRIPT}]
    rest.post(f"projects/{project}/commits/", {"message": "Script", "changes": changes, "expected_head": head})
    return project


class Chaos:
    """One platform, what happened to it, and what must hold afterwards."""

    def __init__(self, stack: Stack, marks: Path | None, engine: Engine | None = None) -> None:
        self.stack, self.marks, self.engine = stack, marks, engine
        self.rest = Rest(stack.web_url, person_token(stack))
        self.project = new_project(self.rest)
        self.refused: Counter[str] = Counter()

    def happen(self, victims: Mapping[str, int]) -> list[dict[str, Any]]:
        """Start runs and kill parts, then wait until every run has ended; the runs with all details."""
        print(f"MODELWRIGHT_CHAOS_SEED={SEED}", flush=True)
        first = self.ask("POST", f"projects/{self.project}/runs/", {"script": "main.py", "arguments": ARGUMENTS})
        wait_for("a first run", lambda: self.ask("GET", f"runs/{first['id']}/")["state"] == "succeeded", 240)
        killer = Killer(self.stack, victims, random.Random(SEED), self.engine)
        began = time.monotonic()
        stream = Stream(self.rest, self.project, str(self.marks or ""), random.Random(SEED + 1))
        with Witness(self.stack) as witness:
            with stream:
                killer.rage(SECONDS, lambda: len(stream.runs) > LEAST_RUNS)
            assert stream.failures == []
            wait_for("the end of every run", lambda: not self.unfinished(), 300, lambda: str(self.unfinished()))
        minutes = (time.monotonic() - began) / 60
        found = self.runs()
        states = dict(Counter(run["state"] for run in found))
        print(f"{len(found)} runs in {minutes:.1f} minutes ({len(found) / minutes:.0f} a minute): {states}", flush=True)
        print(f"killed {dict(killer.killed)}; API calls repeated: {dict(stream.refused)}", flush=True)
        assert sorted(run["id"] for run in found) == sorted([first["id"], *(run["id"] for run in stream.runs.values())])
        assert len(found) > LEAST_RUNS, "too few to say anything"
        assert witness.twice() == {}
        return [self.ask("GET", f"runs/{run['id']}/") for run in found if run["id"] != first["id"]]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask until there is an answer."""
        return until_answered(self.rest, method, path, body, self.refused)

    def runs(self) -> list[dict[str, Any]]:
        """Every run of the project."""
        found: list[dict[str, Any]] = []
        path: str | None = f"projects/{self.project}/runs/?limit=100"
        while path:
            page = self.ask("GET", path)
            found += page["results"]
            path = page["next"] and page["next"].split("/api/v1/")[1]
        return found

    def unfinished(self) -> list[tuple[Any, ...]]:
        """Workloads that have not ended, as the database says."""
        try:
            with psycopg.connect(self.stack.platform["environment"]["DATABASE_URL"]) as connection:
                return connection.execute(UNFINISHED).fetchall()
        except psycopg.OperationalError as error:
            return [(str(error),)]

    def words(self, run: dict[str, Any]) -> list[str]:
        """What the run's script itself recorded, beside the platform where it could."""
        logged = [line for line in self.ask("GET", f"runs/{run['id']}/log/")["text"].splitlines() if line in WORDS]
        if self.marks is not None:
            assert marks_of(self.marks, run["id"]) == logged
        return logged

    def messages(self) -> dict[str, int]:
        """How many messages wait for a worker or were not acknowledged, by queue."""
        url = self.stack.platform["environment"]["REDIS_URL"]
        with redis.Redis.from_url(url, decode_responses=True) as broker:
            lists = {key: broker.llen(key) for key in broker.keys("*") if broker.type(key) == "list"}
            return {**lists, **({"unacked": unacked} if (unacked := broker.hlen("unacked")) else {})}

    def nothing_is_left(self) -> None:
        """No message, no process, no container, and a whole audit trail."""
        wait_for("no message left", lambda: not self.messages(), 150, lambda: str(self.messages()))
        wait_for("no process of a run", lambda: not self.processes(), 60, lambda: str(self.processes()))
        if self.engine is not None:
            engine = self.engine
            wait_for("no container", lambda: not engine.containers(), 60, lambda: str(engine.containers()))
        chain = self.ask("GET", "audit-chain/?verify=true")
        assert chain["verified"], chain

    def processes(self) -> list[str]:
        """Of workloads of this platform."""
        workloads = str(self.stack.directory / "workloads")
        return [line for line in self.stack.processes().values() if f"{workloads}/" in line]


ARGUMENTS = ["succeeds", "0", ""]
WORDS = {"began", "succeeds", "fails"}
UNFINISHED = """
SELECT id, kind, state, waiting_reason, detail FROM compute_workload
WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'out_of_memory', 'lost')
"""
ENDINGS = {"succeeded": (["began", "succeeds"], 0), "failed": (["began", "fails"], 3)}


def is_true(run: dict[str, Any], words: list[str]) -> bool:
    """Whether the run's state and exit code are what its script recorded."""
    return ENDINGS.get(run["state"]) == (words, run["exit_code"])


def test_killing_any_part_costs_no_run_and_none_runs_twice(start: Callable[..., Stack], folder: Path) -> None:
    if has_own_engine() and os.environ.get("MODELWRIGHT_CHAOS_PROCESSES") != "1":
        pytest.skip("the test with containers kills all of this and the engine; MODELWRIGHT_CHAOS_PROCESSES=1 runs it")
    marks = folder / "marks"
    marks.mkdir()
    chaos = Chaos(start(), marks)
    runs = chaos.happen(PARTS)
    assert [(run, words) for run in runs if not is_true(run, words := chaos.words(run))] == []
    chaos.nothing_is_left()


def test_killing_the_engine_too_loses_only_what_ran_in_it(start: Callable[..., Stack], engine: Engine) -> None:
    chaos = Chaos(start("--backend", "docker", DOCKER_HOST=engine.address), None, engine)
    runs = chaos.happen(WITH_CONTAINERS)
    told = [(run, chaos.words(run)) for run in runs]
    # What a script says while there is no engine is in no log, so that its own last word is its exit code.
    lost = [run for run, words in told if run["state"] == "lost" and words.count("began") <= 1]
    assert [run for run in lost if not run["cause"]["message"]] == []
    others = [(run, words) for run, words in told if run not in lost]
    assert [(run, words) for run, words in others if not is_true(run, ["began", run["arguments"][0]])] == []
    assert [(run, words) for run, words in others if words != ["began", run["arguments"][0]][: len(words)]] == []
    assert len(lost) < len(runs) / 2
    chaos.nothing_is_left()

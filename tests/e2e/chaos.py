"""A stream of short runs, and somebody who kills parts of the platform meanwhile."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.e2e.engine import Engine
from tests.e2e.scenes import ENDED
from tests.e2e.stack import Rest, Stack

# Each run writes what becomes of it into its log and, where it may, to where no part of the platform writes.
SCRIPT = """
import os, sys, time

kind, seconds, marks = sys.argv[1], float(sys.argv[2]), sys.argv[3]


def mark(word):
    print(word, flush=True)
    if marks:
        with open(f"{marks}/{os.environ['MODELWRIGHT_RUN_ID']}", "a") as file:
            file.write(f"{word}\\n")


mark("began")
time.sleep(seconds)
mark(kind)
sys.exit(0 if kind == "succeeds" else 3)
"""
KINDS = ("succeeds", "succeeds", "succeeds", "fails")
RETRY_SECONDS = 0.5
GIVE_UP_SECONDS = 180.0


def until_answered(rest: Rest, method: str, path: str, body: Any, refused: Counter[str], **headers: str) -> Any:
    """Ask again until the API answers well, and count what it or the network said instead.

    Raises AssertionError after three minutes, and at once for an answer that no outage explains.
    """
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < deadline:
        try:
            url = f"{rest.web_url}/api/v1/{path}"
            answer = requests.request(method, url, json=body, headers={**rest.session.headers, **headers}, timeout=30)
        except requests.RequestException as error:
            refused[type(error).__name__] += 1
        else:
            if answer.ok:
                return answer.json()
            refused[str(answer.status_code)] += 1
            assert answer.status_code in (409, 503), f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        time.sleep(RETRY_SECONDS)
    raise AssertionError(f"{method} {path}: no good answer for {GIVE_UP_SECONDS:.0f} s: {dict(refused)}")


class Stream:
    """`with Stream(...) as stream:` starts runs until the block ends: each thread one after the other's end, so that
    the number that waits stays small on a slow machine too. `runs` holds what the API said to each key."""

    def __init__(self, rest: Rest, project_id: str, marks: str, chance: random.Random, *, threads: int = 8) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.refused: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self._rest, self._path, self._marks, self._chance = rest, f"projects/{project_id}/runs/", marks, chance
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Stream:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(GIVE_UP_SECONDS + 60)
            assert not thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            key = str(uuid.uuid4())
            arguments = [self._chance.choice(KINDS), f"{self._chance.uniform(0, 6):.1f}", self._marks]
            body = {"script": "main.py", "arguments": arguments}
            try:
                run = self._ask("POST", self._path, body, **{"Idempotency-Key": key})
                self.runs[key] = run
                while run["state"] not in ENDED and not self._stop.wait(self._chance.uniform(1, 2)):
                    run = self._ask("GET", f"runs/{run['id']}/")
            except BaseException as error:
                self.failures.append(error)
                return

    def _ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return until_answered(self._rest, method, path, body, self.refused, **headers)


class Killer:
    """`kill -9` for one part after the other, with pauses, for so many seconds. `killed` says what and how often."""

    def __init__(
        self, stack: Stack, victims: Mapping[str, int], chance: random.Random, engine: Engine | None = None
    ) -> None:
        """`victims` are names of parts with their weights; the one called `engine` is `engine`."""
        self.killed: Counter[str] = Counter()
        self._stack, self._victims, self._chance, self._engine = stack, victims, chance, engine

    def rage(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Kill until the time is over and there is `enough`; a part that is down already is left alone.

        A slow machine gets three times as long.
        """
        began = time.monotonic()
        while (took := time.monotonic() - began) < seconds or (took < 3 * seconds and not enough()):
            (victim,) = self._chance.choices(list(self._victims), list(self._victims.values()))
            if self.kill(victim):
                self.killed[victim] += 1
                print(f"{time.strftime('%H:%M:%S')} killed {victim}", flush=True)
            time.sleep(self._chance.uniform(2, 8))

    def kill(self, name: str) -> bool:
        """Kill the process with its children, and start the engine again, which nobody else does. False: it is down."""
        if name == "engine":
            assert self._engine is not None
            self._engine.kill()
            self._engine.start()
            return True
        supervisor = self._stack.running()
        entry = self._stack.platform["processes"].get(name)
        if supervisor is None or entry is None:
            return False
        with suppress(psutil.Error):
            process = psutil.Process(entry["pid"])
            if process.ppid() != supervisor.pid or process.status() == psutil.STATUS_ZOMBIE:
                return False
            family = [process, *process.children(recursive=True)]
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
            return True
        return False


class Witness:
    """Sees which placements of workloads began to work, by their logs on this host's disk, and how many there were."""

    def __init__(self, stack: Stack) -> None:
        self.began: set[str] = set()
        self._folder = stack.directory / "workloads"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_again)

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def twice(self) -> dict[str, list[str]]:
        """Workloads that began to work at more than one placement."""
        placements: dict[str, list[str]] = {}
        for name in self.began:
            placements.setdefault(name.rpartition("-")[0], []).append(name)
        return {workload: names for workload, names in placements.items() if len(names) > 1}

    def _look_again(self) -> None:
        while not self._stop.wait(0.2):
            for folder in self._folder.iterdir():
                if folder.name not in self.began:
                    with suppress(OSError):
                        if "began" in (folder / "log").read_text(errors="replace").split():
                            self.began.add(folder.name)


def marks_of(folder: Path, run_id: str) -> list[str]:
    """What the run's script itself has recorded."""
    path = folder / run_id
    return path.read_text().split() if path.exists() else []

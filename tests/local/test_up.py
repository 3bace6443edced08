"""`./modelwright up` for real: it comes up, names the holder of its directory, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from modelwright.local.layout import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

READY = "Modelwright runs at"
START_SECONDS = 300
OURS = ("DATABASE_URL", "REDIS_URL", "MLFLOW_", "MODELWRIGHT_", "DJANGO_", "PYTEST_")


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def command(data: Path, *more: str) -> list[str]:
    return [sys.executable, "modelwright", "up", "--data-dir", str(data), *more]


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


@dataclass
class Up:
    """A platform that is being run."""

    data: Path
    process: subprocess.Popen[str]
    log: Path
    family: list[psutil.Process] = field(default_factory=list)

    def output(self) -> str:
        return self.log.read_text()

    def wait(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.output()
            return READY in self.output()

        wait_for(ready, "the start", START_SECONDS)
        self.family = psutil.Process(self.process.pid).children(recursive=True)
        assert self.family

    @property
    def platform(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.data / "platform.json").read_text())
        return content

    def pid_of(self, name: str) -> int:
        """The process of that name, 0 while there is none."""
        return int(self.platform["processes"].get(name, {}).get("pid", 0))

    def has_another(self, name: str, before: int) -> bool:
        """Whether a process of that name runs that is not the one from before."""
        return self.pid_of(name) not in (0, before)

    def left(self) -> list[str]:
        """Command lines of what still runs of it."""
        found = []
        for process in self.family:
            try:
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except psutil.NoSuchProcess:
                continue
        return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    made: list[Up] = []

    def begin(*more: str) -> Up:
        log = tmp_path / f"output-{len(made)}"
        with log.open("w") as output:
            process = subprocess.Popen(
                command(tmp_path / "d", *more),
                cwd=REPOSITORY,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        made.append(Up(tmp_path / "d", process, log))
        made[-1].wait()
        return made[-1]

    yield begin
    for up in made:
        up.process.kill()
        up.process.wait(30)
        for process in up.family:
            if process.is_running():
                process.kill()


def test_it_answers_refuses_a_second_one_restarts_what_dies_and_stops_whole(start: Callable[..., Up]) -> None:
    up = start()
    with urllib.request.urlopen(f"{up.platform['web_url']}/login/", timeout=60) as page:
        assert page.status == 200

    second = subprocess.run(
        command(up.data), cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert second.returncode == 1
    assert f"process {up.process.pid}" in second.stderr
    assert up.platform["web_url"] in second.stderr

    for name in ("worker", "sessions"):
        before = up.pid_of(name)
        os.kill(before, signal.SIGKILL)
        wait_for(partial(up.has_another, name, before), f"a new {name}")
        assert f"{name} ended with signal 9" in up.output()
    up.family += psutil.Process(up.process.pid).children(recursive=True)

    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0
    assert up.left() == []
    assert not (up.data / "platform.json").exists()


def test_nothing_outlives_a_killed_platform_and_the_next_one_comes_up_on_its_data(start: Callable[..., Up]) -> None:
    up = start()
    up.process.kill()
    up.process.wait(30)
    wait_for(lambda: up.left() == [], "the end of its processes")
    start()


def test_a_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        port = other.stdout.readline().split("port ")[1].split()[0]
        refused = subprocess.run(
            command(tmp_path / "d", "--web-port", port),
            cwd=REPOSITORY,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        other.kill()
    assert refused.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use" in refused.stderr
    assert not (tmp_path / "d").exists()

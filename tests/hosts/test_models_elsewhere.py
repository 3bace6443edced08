"""Models on a second host: one is compiled and answers there, a batch job loses that host and goes on at home.

Both hosts are this machine, with nothing in common but the folder of stored files: what one needs of the other goes by
the addresses that are told to hosts.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from modelwright.local.demo.client import Client, sign_in
from tests.compose.journey import serve_iris
from tests.e2e.model_journey import Journey
from tests.e2e.stack import DEMO_END, ROOT, Stack, free_port, own_environment, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.machines, pytest.mark.timeout(2400)]
ROWS = 12_000
AWAY = "away"


def own_address() -> str:
    """The address of this machine that others would use, empty where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        # Nothing is sent.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return ""


class Two:
    """The platform, and a host that has joined it."""

    def __init__(self, folder: Path, address: str) -> None:
        self.data, self.printed = folder / "away", folder / "away.txt"
        blobs = str(folder / "files")
        ports = ["--hosts-database-port", str(free_port()), "--hosts-redis-port", str(free_port())]
        shared = {"MODELWRIGHT_BLOBS": blobs, "MODELWRIGHT_HOSTS_BLOBS": blobs, "MODELWRIGHT_COMPILE": "on"}
        self.platform = Stack(folder, "up", "--hosts-address", address, *ports, **shared)
        self.web = f"http://{address}:{self.platform.ports[0]}"
        self.host: subprocess.Popen[bytes] | None = None
        self.api: Client

    def start(self) -> None:
        """The platform, then the host, to which everything goes from then on."""
        self.platform.wait_for_line(DEMO_END, 0, 300)
        self.api = sign_in(self.platform.web_url, "admin", self.platform.password, "tests")
        token = self.api.post("/api/v1/hosts/tokens/", {})["token"]
        command = [sys.executable, "-m", "modelwright.local", "join", self.web, "--token", token, "--name", AWAY]
        command += ["--data-dir", str(self.data), "--backend", "process", "--bridge-port", str(free_port())]
        with self.printed.open("wb") as printed:
            self.host = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**own_environment(), "MODELWRIGHT_HOST_CPU": "4", "MODELWRIGHT_HOST_MEMORY_GIB": "8"},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for("the host", lambda: self.hosts().get(AWAY, {}).get("cpu") == 4, 180, self.said)
        self.set_home("drain")

    def hosts(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return {one["name"]: one for one in self.api.get("/api/v1/hosts/")["results"]}

    def set_home(self, what: str) -> None:
        """`drain` or `activate` the platform's own machine."""
        (home,) = (one for name, one in self.hosts().items() if name != AWAY)
        self.api.post(f"/api/v1/hosts/{home['id']}/{what}/")

    def workloads(self, kind: str) -> list[dict[str, Any]]:
        """Of that kind, the newest first."""
        return [row for row in self.api.pages("/api/v1/workloads/", limit="200") if row["kind"] == kind]

    def lose(self) -> None:
        """The host's power goes: nothing of it is left, and nobody was told."""
        family = [each for each in psutil.process_iter() if self._is_of_host(each)]
        assert family
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, timeout=20)

    def _is_of_host(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            signs = [*process.cmdline(), *process.environ().values(), process.cwd()]
            return process.pid != os.getpid() and any(str(self.data) in sign for sign in signs)
        return False

    def said(self) -> str:
        """The ends of the host's logs."""
        logs = [self.printed, *sorted((self.data / "logs").glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2500:]}" for log in logs if log.exists())

    def stop(self) -> None:
        """The host first: it ends what runs there."""
        if self.host is not None and self.host.poll() is None:
            self.host.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.host.wait(60)
        for each in psutil.process_iter():
            if self._is_of_host(each):
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        self.platform.stop()


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    """A running platform, all of whose work goes to the other host."""
    address = own_address()
    if not address:
        pytest.skip("NOT TESTED: models on a second host, because this machine has no address but its own loopback")
    # Sockets' paths must be short, and PostgreSQL's user must pass.
    folder = Path(tempfile.mkdtemp(prefix="mw2-", dir="/tmp"))
    folder.chmod(0o755)
    made = Two(folder, address)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def journey(two: Two) -> Journey:
    """Iris, trained, registered and served on the other host."""
    try:
        return Journey(two.api, serve_iris(two.api, "two"))
    except Exception as error:
        raise AssertionError(f"{error}\n{two.said()}\n{two.platform.log_tails()}") from error


def test_a_version_is_compiled_on_another_host_and_answers_from_there(two: Two, journey: Journey) -> None:
    before = journey.served.ask()
    made = journey.compiled()
    assert made["state"] == "equal", made
    path = f"onnx:{made['manifest_digest']}"
    journey.wait_served_by(path)
    journey.wait_answered_by(path)
    assert journey.served.ask() == before
    for kind in ("compilation", "replica"):
        assert {row["host"] for row in two.workloads(kind)} == {AWAY}, kind


def test_a_batch_job_whose_host_is_lost_goes_on_at_home(two: Two, journey: Journey) -> None:
    job = journey.batch(ROWS, chunk_rows=100)
    journey.under_way(job)
    assert [row["host"] for row in two.workloads("scoring")] == [AWAY]
    two.lose()
    before = journey.job(job)
    assert before["state"] == "running", before
    two.set_home("activate")
    done = journey.over(job, 600)
    assert (done["state"], done["rows_done"], done["attempt"]) == ("succeeded", ROWS, 2), done
    assert before["rows_done"] < ROWS
    second, first = two.workloads("scoring")
    assert (first["host"], first["state"]) == (AWAY, "lost")
    assert second["host"] != AWAY
    journey.check_scored_once(job, ROWS)

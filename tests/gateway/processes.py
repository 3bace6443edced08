"""Real gateways and model servers as processes, and the small things tests do with them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import requests

from models.gateway.addresses import bridge_address
from models.gateway.spool import list_segments, read_records
from tests.gateway import environment

ROOT = Path(__file__).resolve().parents[2]
KEY = "mwk_test"
SECRET = "the secret of a test installation"
RECORD = {"alcohol": 13.2, "malic_acid": 1.8, "proline": 1050, "shade": "light", "region": "north"}
SIGNATURE = {
    "inputs": [
        {"name": "alcohol", "type": "double", "required": True},
        {"name": "malic_acid", "type": "double", "required": False},
        {"name": "proline", "type": "long", "required": True},
        {"name": "shade", "type": "string", "required": True},
        {"name": "region", "type": "string", "required": True},
    ],
    "outputs": [],
}


def wait_for(condition: Callable[[], Any], *, seconds: float = 180, what: str = "the condition") -> Any:
    """The first true value of `condition`, or a failure after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come about within {seconds} s")


class Process:
    """A child whose output goes to a file."""

    def __init__(self, command: list[str], log: Path, *, before: Callable[[], None] | None = None, **env: str) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                command, stdout=output, stderr=output, env={**os.environ, **env}, cwd=ROOT, preexec_fn=before
            )

    def text(self) -> str:
        """Everything it printed."""
        return self.log.read_text(errors="replace")

    def wait_for_line(self, pattern: str, *, seconds: float = 180) -> re.Match[str]:
        """The first match of `pattern` in its output."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.text())
            assert found or self.popen.poll() is None, f"ended with {self.popen.returncode}: {self.text()}"
            return found

        match: re.Match[str] = wait_for(look, seconds=seconds, what=f"{pattern!r} in {self.log}")
        return match

    def stop(self, number: int = signal.SIGTERM, *, seconds: float = 60) -> int:
        """Send a signal and wait; the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.popen.wait(seconds)


class ModelServer(Process):
    """A replica of one of the test models."""

    def __init__(self, directory: Path, model: str, name: str = "", *options: str, socket: Path | None = None) -> None:
        self.socket = socket or directory / f"{name or model}.sock"
        command = [environment.python(), "-m", "modelwright_runtime.server", "--socket", str(self.socket)]
        command += ["--model", str(environment.model(model)), "--version-id", model, *options]
        super().__init__(command, directory / f"{name or model}.log", PYTHONPATH=str(environment.RUNTIME))

    def ready(self) -> ModelServer:
        """Wait until it listens."""
        self.wait_for_line(r"INFO ready")
        return self


class Bridge(Process):
    """A bridge to the sockets below `sockets`. `port` 0 is a free one."""

    def __init__(self, directory: Path, sockets: Path, *options: str, port: int = 0) -> None:
        secret = directory / "secret"
        secret.write_text(f"{SECRET}\n")
        command = [sys.executable, "-m", "models.gateway.bridge", "--listen", f"127.0.0.1:{port}"]
        command += ["--sockets", str(sockets), "--secret-file", str(secret), *options]
        super().__init__(command, directory / f"bridge-{time.monotonic_ns()}.log")
        self.port = int(self.wait_for_line(r"listening on [\d.]+:(\d+)")[1])

    def address(self, name: str) -> str:
        """Of the replica called so."""
        return bridge_address("127.0.0.1", self.port, name)


def target(
    model: str, version: int, *sockets: Path | str, weight: int = 100, signature: Any = SIGNATURE
) -> dict[str, Any]:
    """One target of a route table."""
    return {
        "model_version_id": f"00000000-0000-7000-8000-{version:012d}",
        "model": model,
        "version": version,
        "weight": weight,
        "signature": signature,
        "sockets": [str(path) for path in sockets],
    }


def endpoint(number: int, *targets: dict[str, Any], keys: Iterable[str] = (KEY,)) -> dict[str, Any]:
    """One endpoint of a route table, at its deployment `number`."""
    return {
        "endpoint_id": "00000000-0000-7000-8000-00000000000e",
        "deployment_id": f"00000000-0000-7000-8000-d{number:011d}",
        "deployment_number": number,
        "keys": {hashlib.sha256(key.encode()).hexdigest(): f"id of {key}" for key in keys},
        "targets": list(targets),
    }


class Gateway(Process):
    """A gateway on a free port."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        before: Callable[[], None] | None = None,
        gateway_id: str = "g",
        env: dict[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.routes = directory / "routes.json"
        self.spool = directory / "spool"
        self.revision = 0
        command = [sys.executable, "-m", "models.gateway", "--listen", "127.0.0.1:0", "--routes", str(self.routes)]
        command += ["--spool", str(self.spool), "--gateway-id", gateway_id, *options]
        log = directory / f"gateway-{time.monotonic_ns()}.log"
        super().__init__(command, log, before=before, **(env or {}))
        self.port = int(self.wait_for_line(r"listening on [\d.]+:(\d+)")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def publish(self, endpoints: dict[str, Any], *, wait: bool = True) -> int:
        """Replace the route table whole; its revision."""
        self.revision += 1
        with tempfile.NamedTemporaryFile("w", dir=self.directory, delete=False) as file:
            json.dump({"revision": self.revision, "endpoints": endpoints}, file)
        os.replace(file.name, self.routes)
        if wait:
            wait_for(lambda: self.ready()["revision"] == self.revision, what="the new route table")
        return self.revision

    def ready(self) -> dict[str, Any]:
        """The answer of `/health/ready`."""
        state: dict[str, Any] = requests.get(self.url + "/health/ready", timeout=30).json()
        return state

    def predict(self, *records: Any, key: str = KEY, name: str = "acme/wine", **kwargs: Any) -> requests.Response:
        """Ask for a prediction."""
        kwargs.setdefault("json", {"records": list(records)})
        headers = {"Authorization": f"Bearer {key}", **kwargs.pop("headers", {})}
        return requests.post(f"{self.url}/{name}/predict", headers=headers, timeout=60, **kwargs)

    def recorded(self) -> list[dict[str, Any]]:
        """Every record in the spool, in order, but for what the gateway tells of its availability."""
        return [record for record in self.spooled() if record.get("kind") != "availability"]

    def spooled(self) -> list[dict[str, Any]]:
        """Everything that is in the spool, in order."""
        return [record for segment in list_segments(self.spool) for record, _ in read_records(segment.path)]

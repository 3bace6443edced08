"""The systems of the serving benchmark: how each is installed, started and asked."""

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
from typing import Any, ClassVar

import psutil
import yaml

from benchmarks import load
from benchmarks.serving_models import Trained, environment, flat, shape
from models.gateway.spool import list_segments

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = ROOT / "platform" / "runtime"
KEY = "mwk_benchmark"
LIBRARIES = ("scikit-learn", "pandas")


def free_port() -> int:
    """A TCP port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class System(ABC):
    """A server with one model in it. `start` returns when it answers."""

    name: ClassVar[str]
    requirements: ClassVar[tuple[str, ...]]
    path: str
    headers: tuple[str, ...] = ()

    def __init__(self, work: Path, trained: Trained) -> None:
        self.trained = trained
        self.work = work / f"{self.name}-{trained.model.name}"
        self.work.mkdir(parents=True, exist_ok=True)
        self.python = environment(work, self.name, (*self.requirements, *LIBRARIES, *trained.model.requirements))
        self.port = free_port()
        self.requests = self.work / "requests.bin"
        self._children: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def body(self, record: Any) -> Any:
        """The JSON by which this system is asked about one record."""

    @abstractmethod
    def launch(self) -> None:
        """Start the processes."""

    def start(self) -> None:
        """Start and wait until a first prediction comes back."""
        self.launch()
        bodies = [self.body(record) for record in self.trained.records]
        load.write_requests(self.requests, f"127.0.0.1:{self.port}", self.path, self.headers, bodies)
        body = json.dumps(bodies[0]).encode()
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
        self._children.clear()

    def tidy(self) -> None:  # noqa: B027 - most leave nothing
        """Between two turns: take away what nobody takes away here."""

    def cpu_seconds(self) -> float:
        """Processor time that all its processes have used so far."""
        roots = [psutil.Process(child.pid) for child in self._children]
        processes = roots + [below for root in roots for below in root.children(recursive=True)]
        return sum(times.user + times.system for times in (process.cpu_times() for process in processes))

    def spawn(self, command: list[str], **env: str) -> None:
        """Start one process in a group of its own."""
        log = (self.work / f"log-{len(self._children)}.txt").open("wb")
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", **env}
        variables |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        variables["PATH"] = f"{self.python.parent}:{variables['PATH']}"
        self._children.append(
            subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=variables, start_new_session=True)
        )
        log.close()


class Ours(System):
    """Gateway and model server, with key check, prediction id and record."""

    name = "ours"
    requirements: ClassVar[tuple[str, ...]] = ("mlflow-skinny==3.17.2", "orjson")
    path = "/acme/model/predict"
    headers = (f"Authorization: Bearer {KEY}",)
    processes = 1
    native = True

    def machine_code(self) -> str:
        """The folder of the gateway's hot modules as `./modelwright up` and the images have them."""
        command = [sys.executable, "-m", "models.gateway.native", str(self.work.parent / "native")]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()[-1]

    def body(self, record: Any) -> Any:
        return {"records": [{"": record} if self.trained.model.datatype else record]}

    def launch(self) -> None:
        server = self.work / "replica.sock"
        command = [str(self.python), "-m", "modelwright_runtime.server", "--socket", str(server)]
        self.spawn([*command, *self.served()], PYTHONPATH=str(RUNTIME))
        routes = self.work / "routes.json"
        routes.write_text(json.dumps(self._routes(server)))
        command = [sys.executable, "-m", "models.gateway", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--processes", str(self.processes), "--routes", str(routes), "--spool", str(self.work / "spool")]
        self.tidy()
        self.spawn(command, MODELWRIGHT_NATIVE=self.machine_code() if self.native else "")

    def served(self) -> list[str]:
        """Options of the model server: what it answers by."""
        return ["--model", str(self.trained.folder)]

    def tidy(self) -> None:
        """Delete the record but for each process's newest segment: no shipper runs here."""
        segments = list_segments(self.work / "spool")
        newest = {segment.gateway_id: segment for segment in segments}
        for segment in segments:
            if segment is not newest[segment.gateway_id]:
                segment.path.unlink()

    def _routes(self, server: Path) -> dict[str, Any]:
        signature = yaml.safe_load((self.trained.folder / "MLmodel").read_text())["signature"]
        target = {
            "model_version_id": "00000000-0000-7000-8000-000000000001",
            "model": "model",
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
        return {"revision": 1, "endpoints": {"acme/model": endpoint}}


class OursCompiled(Ours):
    """The same with the model compiled to ONNX, as far as it was proved equal."""

    name = "onnx"
    processes = 2
    requirements = ("mlflow-skinny==3.17.2", "orjson", "onnx", "onnxruntime", "uvloop")

    def served(self) -> list[str]:
        compiled, verdict = self.work / "compiled", self.work / "verdict.json"
        if not verdict.exists():
            command = [str(self.python), "-m", "modelwright_runtime.compiling", "--model", str(self.trained.folder)]
            command += ["--out", str(compiled), "--result", str(verdict)]
            compiled.mkdir(exist_ok=True)
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(RUNTIME)}, capture_output=True)
        said = json.loads(verdict.read_bytes())
        if said.get("verdict") != "equal":
            raise SystemExit(f"{self.trained.model.name} was not compiled: {said}")
        return ["--compiled", str(compiled)]


class MLServer(System):
    """MLServer with its MLflow runtime and adaptive batching."""

    name = "mlserver"
    # Its workers need the event loop that uvloop made by itself until 0.21.
    requirements = ("mlserver==1.7.1", "mlserver-mlflow==1.7.1", "mlflow==3.17.2", "uvloop<0.22")
    path = "/v2/models/model/infer"

    def body(self, record: Any) -> Any:
        if self.trained.model.datatype:
            array = {"shape": [1, *shape(record)], "datatype": self.trained.model.datatype, "data": flat(record)}
            return {"parameters": {"content_type": "np"}, "inputs": [{"name": "input", **array}]}
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
        settings["metrics_dir"] = str(self.work / "metrics")
        (self.work / "settings.json").write_text(json.dumps(settings))
        model = {
            "name": "model",
            "implementation": "mlserver_mlflow.MLflowRuntime",
            "parameters": {"uri": str(self.trained.folder)},
            "max_batch_size": 64,
            "max_batch_time": 0.01,
        }
        (self.work / "model-settings.json").write_text(json.dumps(model))
        self.spawn([str(self.python.with_name("mlserver")), "start", str(self.work)])


class BentoML(System):
    """BentoML with adaptive batching, on the library's own object: `bento_service.py`."""

    name = "bentoml"
    requirements = ("bentoml==1.4.40", "mlflow==3.17.2")
    path = "/predict"

    def body(self, record: Any) -> Any:
        return {"rows": [record]}

    def launch(self) -> None:
        service = f"bento_service:{self.trained.model.service}"
        command = [str(self.python.with_name("bentoml")), "serve", service, "--working-dir", str(ROOT / "benchmarks")]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        home = str(self.work / "home")
        environment = {
            "BENTOML_HOME": home,
            "BENTOML_DO_NOT_TRACK": "True",
            "BENCHMARK_MODEL": str(self.trained.folder),
        }
        self.spawn(command, **environment)


class MLflowServe(System):
    """`mlflow models serve`, as its documentation starts it."""

    name = "mlflow"
    requirements = ("mlflow==3.17.2",)
    path = "/invocations"

    def body(self, record: Any) -> Any:
        return {"instances" if self.trained.model.datatype else "dataframe_records": [record]}

    def launch(self) -> None:
        command = [str(self.python.with_name("mlflow")), "models", "serve", "--model-uri", str(self.trained.folder)]
        self.spawn([*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(self.port)])


class Bare:
    """The model itself in a loop: what no server around it can pass."""

    def __init__(self, work: Path, trained: Trained) -> None:
        requirements = (*Ours.requirements, *LIBRARIES, *trained.model.requirements)
        self._command = [str(environment(work, Ours.name, requirements)), "-W", "ignore"]
        self._command += [str(ROOT / "benchmarks" / "bare_predict.py"), str(trained.folder), str(trained.records_file)]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Load the model."""
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True, env=variables)
        self._line()

    def rows_per_second(self, seconds: float) -> float:
        """Predict for so long."""
        process = self._running()
        if process.stdin is None:
            raise SystemExit("the bare model has no input")
        print(seconds, file=process.stdin, flush=True)
        return float(json.loads(self._line())["rows_per_second"])

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise SystemExit("the bare model was not started")
        return self._process

    def _line(self) -> str:
        output = self._running().stdout
        line = output.readline() if output is not None else ""
        if not line:
            raise SystemExit(f"the bare model ended: {' '.join(self._command)}")
        return line


SYSTEMS: dict[str, type[System]] = {kind.name: kind for kind in (Ours, OursCompiled, MLServer, BentoML, MLflowServe)}

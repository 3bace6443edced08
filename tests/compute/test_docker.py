"""What only containers do: how they are made, what happens when engine or keeper are away, and what is cleared."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import docker
import pytest
from docker import errors as docker_errors

from modelwright.compute.backends.base import (
    ArchiveSource,
    BackendError,
    Cause,
    ImageMissingError,
    Limits,
    SourceError,
    UnavailableError,
    WorkloadSpec,
)
from modelwright.compute.backends.docker import DockerBackend, DockerConfig, Relay
from modelwright.compute.backends.docker.config import own_interpreter
from modelwright.compute.backends.docker.engine import told_apart
from modelwright.compute.backends.docker.logs import LogCopy
from modelwright.compute.backends.folders import Folders
from tests import engine

from .backends_support import new_key, script, wait_for_end, wait_until
from .kinds import DockerInTests, DockerKind
from .test_backends_contract import STARTER

MIB = 1024 * 1024
SLEEP = "import time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture
def kind(tmp_path: Path) -> Iterator[DockerKind]:
    made = DockerKind("docker", tmp_path)
    yield made
    made.close()


@pytest.fixture
def backend(kind: DockerKind) -> DockerBackend:
    made = kind.again()
    assert isinstance(made, DockerBackend)
    return made


def configured(kind: DockerKind, **changes: object) -> DockerBackend:
    """A backend with other settings on a root of its own."""
    root = Path(kind.parameters["root"]).with_name("configured")
    config = DockerConfig(root=root, instance=kind.parameters["instance"])
    made = DockerInTests(replace(config, **changes))  # type: ignore[arg-type]
    kind.adopt(made)
    return made


def run(backend: DockerBackend, spec: WorkloadSpec) -> str:
    """What it printed, once it has ended."""
    backend.start(spec)
    wait_for_end(backend, spec.key)
    return backend.log_path(spec.key).read_text()


def test_name_and_labels_say_whose_it_is(kind: DockerKind, backend: DockerBackend) -> None:
    spec = replace(script(SLEEP, limits=Limits(timeout_seconds=600, grace_seconds=0)), kind="replica")
    backend.start(spec)
    container = kind.container(spec.key)
    labels = {name.removeprefix("modelwright."): value for name, value in container.labels.items()}
    assert container.name == f"{kind.parameters['instance']}-{spec.key.name}"
    assert labels["instance"] == kind.parameters["instance"]
    assert (labels["kind"], labels["workload"], labels["fence"]) == ("replica", spec.key.workload_id, "1")
    assert float(labels["deadline"]) > 1_700_000_000


def test_a_container_is_confined(kind: DockerKind, backend: DockerBackend) -> None:
    limits = Limits(cpu=0.5, cpu_hard=True, memory_bytes=256 * MIB, processes=50)
    spec = script(SLEEP, limits=limits)
    backend.start(spec)
    attributes = kind.container(spec.key).attrs
    host = attributes["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] is None
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"]
    assert host["Init"]
    assert not host["Privileged"]
    assert not host["AutoRemove"]
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert host["NetworkMode"] == "none"
    assert (host["Memory"], host["MemorySwap"]) == (256 * MIB, 256 * MIB)
    assert host["CpuQuota"] / host["CpuPeriod"] == 0.5
    assert host["PidsLimit"] == 52
    assert host["ShmSize"] == backend.config.shm_bytes
    assert attributes["Config"]["User"].split(":")[0] not in ("", "0", "root")


def test_no_secret_stands_in_the_description_of_the_container(kind: DockerKind, backend: DockerBackend) -> None:
    secret = "s3cret-value-of-a-token"
    spec = script(SLEEP, environment={"TOKEN": secret, "PATH": "/usr/bin"})
    backend.start(spec)
    assert secret not in json.dumps(kind.container(spec.key).attrs)


def test_the_record_stays_when_the_container_is_gone(kind: DockerKind, backend: DockerBackend) -> None:
    spec = script("print('kept'); open('out.txt', 'w').write('x')")
    assert run(backend, spec) == "kept\n"
    wait_until(lambda: not kind.names(), what="the removal of the container")
    status = backend.status(spec.key)
    assert status is not None
    assert status.cause is Cause.SUCCEEDED
    assert (backend.work_folder(spec.key) / "out.txt").read_text() == "x"


def test_an_image_that_is_not_there_is_named(kind: DockerKind) -> None:
    backend = configured(kind, images=["modelwright-none*"])
    spec = replace(script("pass"), image="modelwright-none:1")
    with pytest.raises(ImageMissingError, match="modelwright-none:1"):
        backend.start(spec)
    assert backend.status(spec.key) is None
    assert kind.names() == []


def test_an_image_that_the_host_does_not_allow_is_refused(backend: DockerBackend) -> None:
    with pytest.raises(BackendError, match="not one that this host allows"):
        backend.start(replace(script("pass"), image="evil:latest"))


def test_an_image_without_python_fails_and_says_so(kind: DockerKind) -> None:
    name = f"{kind.parameters['instance']}/empty:1"
    kind.make_image(name, "FROM python:3.11-slim\nENV PATH=/nowhere\n")
    backend = configured(kind, images=[name])
    spec = replace(script("pass"), image=name)
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    assert status.cause is Cause.FAILED
    assert "python3" in status.message


def test_an_engine_that_is_away_is_no_fault_of_the_workload(kind: DockerKind, tmp_path: Path) -> None:
    backend = configured(kind, engine=f"unix://{tmp_path}/no-engine.sock")
    spec = script("pass")
    with pytest.raises(UnavailableError, match="engine"):
        backend.start(spec)
    assert backend.status(spec.key) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("task eb6dcc4e15d3: already exists", UnavailableError),
        ("id already in use", UnavailableError),
        ("rpc error: code = Unavailable desc = transport is closing", UnavailableError),
        ("OCI runtime create failed: no space left on device", BackendError),
        ("network chaos already exists", BackendError),
    ],
)
def test_what_an_engine_says_while_it_restarts_is_no_refusal(said: str, expected: type[Exception]) -> None:
    with pytest.raises(BackendError) as caught, told_apart("It"):
        raise docker_errors.APIError("500", explanation=said)
    assert type(caught.value) is expected


def test_an_engine_that_stays_away_loses_what_ran(kind: DockerKind, tmp_path: Path) -> None:
    backend = configured(kind)
    spec = script(SLEEP)
    backend.start(spec)
    backend.close()
    deaf = DockerConfig(
        root=backend.root, instance=kind.parameters["instance"], engine=f"unix://{tmp_path}/no.sock", patience_seconds=1
    )
    away = DockerBackend(deaf)
    kind.adopt(away)
    status = wait_for_end(away, spec.key)
    assert status.cause is Cause.LOST
    assert "has not answered" in status.message
    away.close()
    back = DockerBackend(replace(deaf, engine=""))
    kind.adopt(back)
    wait_until(lambda: not kind.names(), what="the removal of what the platform gave up")
    assert wait_for_end(back, spec.key).cause is Cause.LOST


def test_a_container_that_somebody_removed_is_lost(kind: DockerKind, backend: DockerBackend) -> None:
    spec = script(SLEEP)
    backend.start(spec)
    kind.container(spec.key).remove(force=True)
    status = wait_for_end(backend, spec.key)
    assert status.cause is Cause.LOST


def test_a_container_that_somebody_else_stopped_is_lost_and_one_that_ends_itself_is_not(
    kind: DockerKind, backend: DockerBackend
) -> None:
    spec = script(f"print('it works', flush=True)\n{SLEEP}")
    itself = script("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)")
    backend.start(spec)
    backend.start(itself)
    wait_until(lambda: b"it works" in kind.container(spec.key).logs(), what="a container that works")
    kind.container(spec.key).stop(timeout=30)
    status = wait_for_end(backend, spec.key)
    assert (status.cause, status.signal) == (Cause.LOST, 15)
    assert "not by the platform" in status.message
    assert wait_for_end(backend, itself.key).cause is Cause.FAILED


def test_a_container_without_a_record_is_removed(kind: DockerKind, backend: DockerBackend) -> None:
    spec = script(SLEEP)
    backend.start(spec)
    backend.close()
    (backend.root / ".live" / spec.key.name).unlink()
    kind.again()
    wait_until(lambda: not kind.names(), what="the removal")


DIES_BETWEEN_THE_CALLS = """
import json, os, sys
from modelwright.compute.backends.base import WorkloadKey, WorkloadSpec
from tests.compute.kinds import DockerInTests, build
parameters, workload_id, command = json.loads(sys.argv[1])
DockerInTests._deliver_and_start = lambda *_: os._exit(9)
build(parameters).start(WorkloadSpec(WorkloadKey(workload_id, 1), command))
"""


def test_a_container_that_was_made_and_not_started_is_adopted(kind: DockerKind) -> None:
    spec = script("print('ran')")
    order = json.dumps([kind.parameters, spec.key.workload_id, list(spec.command)])
    assert subprocess.run([sys.executable, "-c", DIES_BETWEEN_THE_CALLS, order], check=False).returncode == 9
    assert kind.container(spec.key).status == "created"
    backend = kind.again()
    assert isinstance(backend, DockerBackend)
    assert backend.status(spec.key) is None
    assert run(backend, spec) == "ran\n"


def test_a_start_that_the_engine_lost_is_a_lost_workload(kind: DockerKind) -> None:
    spec = script("print('ran')")
    order = json.dumps([kind.parameters, spec.key.workload_id, list(spec.command)])
    assert subprocess.run([sys.executable, "-c", DIES_BETWEEN_THE_CALLS, order], check=False).returncode == 9
    # The starter was told that it runs; then the engine was killed before it had noted that.
    Folders(Path(kind.parameters["root"])).write_running(spec.key, time.time())
    backend = kind.again()
    status = wait_for_end(backend, spec.key)
    assert (status.cause, "not started" in status.message) == (Cause.LOST, True)
    wait_until(lambda: not kind.names(), what="the removal")


def test_an_engine_that_keeps_a_log_open_keeps_nobody_waiting(backend: DockerBackend, tmp_path: Path) -> None:
    spec = script(SLEEP)
    backend.start(spec)
    log = LogCopy(tmp_path / "log", limit=MIB)
    api = docker.APIClient()
    container = f"{backend.config.instance}-{spec.key.name}"
    follower = threading.Thread(target=log.follow, args=(api, container))
    follower.start()
    wait_until(lambda: (tmp_path / "log").exists() and "ready" in (tmp_path / "log").read_text(), what="the copy")
    log.break_off()
    follower.join(30)
    assert not follower.is_alive()
    log.close()
    assert (tmp_path / "log").read_text() == "ready\n"


def test_a_child_that_memory_ran_out_for_is_no_failure_of_a_job_that_copes(backend: DockerBackend) -> None:
    text = (
        "import subprocess, sys\n"
        "done = subprocess.run([sys.executable, '-S', '-c', 'bytearray(400 << 20)'])\n"
        "print(done.returncode)"
    )
    spec = script(text, limits=Limits(memory_bytes=96 * MIB))
    assert run(backend, spec) == "-9\n"
    assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED


def test_a_forged_record_changes_no_outcome(backend: DockerBackend) -> None:
    text = (
        "import os, signal\n"
        "open('/run/modelwright/ending.json', 'w').write('{\"exit_code\": 0, \"peak_memory_bytes\": 1}')\n"
        "os.kill(os.getppid(), signal.SIGKILL)\n"
        "import time; time.sleep(600)"
    )
    spec = script(text)
    backend.start(spec)
    assert wait_for_end(backend, spec.key).cause is Cause.LOST


def test_an_environment_of_the_host_is_readable_at_its_own_path_and_not_writable(kind: DockerKind) -> None:
    if not own_interpreter():
        pytest.skip("this Python is the system's: its environments cannot be mounted into an image")
    backend = DockerBackend(
        DockerConfig(
            root=Path(kind.parameters["root"]), instance=kind.parameters["instance"], readable=[Path(sys.prefix)]
        )
    )
    kind.adopt(backend)
    text = "import sys, orjson\nprint(sys.prefix)\nopen(sys.prefix + '/evil', 'w')"
    command = [f"{sys.prefix}/bin/python", "-u", "-c", text]
    spec = WorkloadSpec(new_key(), command, {"PATH": "/usr/bin"}, readable=[sys.prefix])
    backend.start(spec)
    wait_for_end(backend, spec.key)
    log = backend.log_path(spec.key).read_text()
    assert log.startswith(f"{sys.prefix}\n")
    assert "Read-only file system" in log


@pytest.mark.parametrize("folder", ["/etc", "/", "/allowed/../etc"])
def test_a_folder_that_the_host_does_not_offer_is_refused(kind: DockerKind, folder: str, tmp_path: Path) -> None:
    backend = configured(kind, readable=[tmp_path])
    with pytest.raises(SourceError, match="may not be read"):
        backend.start(replace(script("pass"), readable=[folder]))


def test_an_archive_that_the_host_does_not_offer_is_refused(kind: DockerKind, tmp_path: Path) -> None:
    backend = configured(kind, sources=[tmp_path / "blobs"])
    with pytest.raises(SourceError, match="not one of this host's"):
        backend.start(script("pass", source=ArchiveSource(str(tmp_path / "a.tar"), "0" * 64)))


def test_the_platform_is_reached_without_a_network(kind: DockerKind) -> None:
    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    backend = configured(kind, relays=[Relay("127.0.0.1", port)])
    text = (
        "import os, urllib.request\n"
        f"print(urllib.request.urlopen('http://127.0.0.1:{port}/', data=b'x' * 300_000).read().decode())\n"
        "import socket; print(sorted(name for _, name in socket.if_nameindex()))"
    )
    try:
        assert run(backend, script(text)) == "received 300000\n['lo']\n"
    finally:
        server.shutdown()
        server.server_close()


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"received {size}".encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    "wrong",
    [{"user": "0:0"}, {"network": "host"}, {"network": "container:x"}, {"instance": "A b"}, {"root": Path("a")}],
)
def test_settings_that_would_open_the_host_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        replace(DockerConfig(root=Path("/tmp"), instance="x", user="10001:10001"), **wrong)  # type: ignore[arg-type]


COUNT = """
import os, time
for i in range(100_000):
    print(i, flush=True)
    time.sleep(0.02)
    if os.path.exists("enough"):
        break
"""


def test_a_log_is_gone_on_with_when_another_process_takes_over(kind: DockerKind) -> None:
    spec = script(COUNT)
    order = json.dumps([kind.parameters, spec.key.workload_id, list(spec.command)])
    log = Path(kind.parameters["root"]) / spec.key.name / "log"
    for _ in range(2):
        before = log.stat().st_size if log.exists() else 0
        with subprocess.Popen([sys.executable, "-c", STARTER, order]) as starter:
            wait_until(lambda size=before: log.exists() and log.stat().st_size > size + 200, what="more lines")  # type: ignore[misc]
            starter.kill()
    backend = kind.again()
    (backend.work_folder(spec.key) / "enough").touch()
    assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED
    lines = [int(line) for line in backend.log_path(spec.key).read_text().split()]
    assert len(lines) > 100
    assert lines == list(range(len(lines)))


def test_an_engine_that_answers_is_there_or_the_session_says_why_not() -> None:
    engine.require_engine().close()

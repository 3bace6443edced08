"""What the swarm backend promises beyond the contract, on real nodes: placement, GPUs, secrets, logs, keeper."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright.compute.backends.base import (
    Cause,
    Limits,
    Phase,
    UnavailableError,
    WorkloadKey,
    WorkloadSpec,
    WorkloadStatus,
)
from modelwright.compute.backends.factory import LocalBackend, make_backend
from modelwright.compute.backends.swarm import Shelf, SwarmBackend, SwarmConfig
from modelwright.compute.backends.swarm.names import service_name

from .backends_support import new_key, script, wait_for_end, wait_until
from .kinds import PYTHON_IN_IMAGE, in_image
from .swarm_support import MARKS, OWN_ADDRESS, Nodes, require_nodes

pytestmark = list(MARKS)
NETWORK = "mwt-contract"
WAIT = "import time; print('started', flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def nodes() -> Nodes:
    return require_nodes()


@pytest.fixture(scope="module")
def backend(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmBackend]:
    """One for all tests here."""
    config = SwarmConfig(
        root=tmp_path_factory.mktemp("swarm") / "workloads",
        instance=f"mwt-{os.urandom(3).hex()}",
        engine=nodes.engine(1),
        network=NETWORK,
        shelf=Shelf(OWN_ADDRESS, 0),
        images=["nosuch.example.org/*"],
        attempts=2,
        delay_seconds=0.2,
    )
    made = SwarmBackend(config)
    yield made
    made.close()
    nodes.clear(config.instance)


def spec_of(text: str, **changes: Any) -> WorkloadSpec:
    spec = script(text, **changes)
    return WorkloadSpec(**{**vars(spec), "command": in_image(spec.command)})


def status_of(backend: LocalBackend, key: WorkloadKey) -> WorkloadStatus:
    status = backend.status(key)
    assert status is not None
    return status


def await_phase(backend: LocalBackend, key: WorkloadKey, phase: Phase) -> WorkloadStatus:
    wait_until(lambda: status_of(backend, key).phase is phase, what=f"{phase}: {backend.status(key)}")
    return status_of(backend, key)


def test_it_waits_for_a_node_with_its_labels_and_says_so(nodes: Nodes, backend: SwarmBackend) -> None:
    spec = spec_of(WAIT, labels={"room": "blue"})
    backend.start(spec)
    wait_until(lambda: "No machine of the swarm suits it" in status_of(backend, spec.key).message, what="the reason")
    assert status_of(backend, spec.key).phase is Phase.STARTING
    nodes.docker(1, "node", "update", "--label-add", "room=blue", "node2")
    await_phase(backend, spec.key, Phase.RUNNING)
    assert nodes.service_node(service_name(backend.config.instance, spec.key)) == 2
    backend.stop(spec.key)


def test_whole_gpus_are_given_out_by_the_swarm(backend: SwarmBackend) -> None:
    text = "import time; print(open('/dev/fake-gpus').read(), end='', flush=True); time.sleep(600)"
    one = spec_of(text, gpus=(0,), kind="replica")
    three = spec_of(WAIT, gpus=(0, 1, 2))
    backend.start(one)
    backend.start(three)
    wait_until(lambda: _log(backend, one.key), what="the log")
    # Once for each task: engines up to 20.10 move tasks with GPUs at every change of their machine.
    assert set(_log(backend, one.key).splitlines()) <= {"0", "1"}
    backend.stop(one.key)
    wait_until(lambda: "insufficient resources" in status_of(backend, three.key).message, what="the reason")
    backend.stop(three.key, message="Cancelled by ana.")
    ended = wait_for_end(backend, three.key)
    assert (ended.cause, ended.message, ended.signal) == (Cause.CANCELLED, "Cancelled by ana.", None)


def test_a_secret_shows_nowhere_and_goes_with_the_service(nodes: Nodes, backend: SwarmBackend) -> None:
    secret = os.urandom(12).hex()
    text = "import os, time; print(len(os.environ['PASSWORD'])); time.sleep(600)"
    spec = spec_of(text, environment={"PASSWORD": secret}, labels={"place": "works"})
    backend.start(spec)
    wait_until(lambda: "24\n" in _log(backend, spec.key), what="the log")
    name = service_name(backend.config.instance, spec.key)
    node = nodes.service_node(name)
    container = nodes.docker(node, "ps", "-q", "--filter", f"label=com.docker.swarm.service.name={name}").strip()
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    told = [lines, nodes.docker(1, "service", "inspect", name), nodes.docker(node, "inspect", container)]
    told += [nodes.docker(1, "secret", "inspect", known["ID"]) for known in nodes.api.secrets()]
    told += [path.read_text(errors="replace") for path in backend.folder(spec.key).rglob("*") if path.is_file()]
    assert [text for text in told if secret in text] == []
    described = json.loads(told[2])[0]
    host = described["HostConfig"]
    assert (host["CapDrop"], host["ReadonlyRootfs"], host["Init"]) == (["ALL"], True, True)
    assert described["Config"]["User"] == "10001:10001"
    backend.stop(spec.key)
    wait_for_end(backend, spec.key)
    wait_until(lambda: not _secrets(nodes, spec.key), what="the end of the secret")
    assert nodes.api.services(filters={"name": name}) == []


def test_an_image_that_no_node_has_is_told_with_a_remedy(backend: SwarmBackend) -> None:
    spec = spec_of("pass", image="nosuch.example.org/team/model:1")
    backend.start(spec)
    ended = wait_for_end(backend, spec.key)
    assert ended.cause is Cause.FAILED
    assert "do not have its image (No such image: nosuch.example.org/team/model:1)" in ended.message
    assert "registry" in ended.message


def test_a_replica_that_fails_again_and_again_has_failed(backend: SwarmBackend) -> None:
    spec = spec_of("print('no such model'); raise SystemExit(5)", kind="replica")
    backend.start(spec)
    ended = wait_for_end(backend, spec.key)
    assert (ended.cause, ended.exit_code) == (Cause.FAILED, 5)
    assert "exit code 5. The swarm started it 3 times." in ended.message
    assert _log(backend, spec.key) == "no such model\n" * 3
    assert [event["event"] for event in backend.history(spec.key)] == ["ended"] * 3


def test_an_engine_that_manages_no_swarm_says_what_to_do(nodes: Nodes, tmp_path: Path) -> None:
    worker = SwarmBackend(SwarmConfig(root=tmp_path, instance="mwt", engine=nodes.engine(2)))
    try:
        with pytest.raises(UnavailableError, match="no manager of a swarm"):
            worker.start(spec_of("pass"))
        assert worker.list() == []
    finally:
        worker.close()


COUNT = "import time\nfor i in range(100_000): print(i, flush=True); time.sleep(0.05)"


def test_a_killed_keeper_takes_nothing_along_and_the_log_goes_on(nodes: Nodes, tmp_path: Path) -> None:
    instance = f"mwt-{os.urandom(3).hex()}"
    socket, root = tmp_path / "keeper.sock", tmp_path / "workloads"
    command = [sys.executable, "-m", "modelwright.compute.backends.keeper", "--backend", "swarm"]
    command += ["--socket", str(socket), "--root", str(root), "--instance", instance, "--engine", nodes.engine(1)]
    command += ["--network", NETWORK, "--shelf", f"{OWN_ADDRESS}:0", "--user", "10001:10001"]
    backend = make_backend("swarm", root=root, keeper_socket=socket)
    keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(backend), what="the keeper")
        spec = WorkloadSpec(new_key(), [PYTHON_IN_IMAGE, "-c", COUNT], limits=Limits(grace_seconds=1))
        backend.start(spec)
        wait_until(lambda: "20\n" in _log(backend, spec.key), what="the log")
        time.sleep(1.5)
        keeper.kill()
        keeper.wait()
        keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_until(lambda: "100\n" in _log(backend, spec.key), what="the log")
        backend.stop(spec.key)
        assert wait_for_end(backend, spec.key).cause is Cause.CANCELLED
        numbers = [int(line) for line in _log(backend, spec.key).split()]
        assert numbers == list(range(len(numbers)))
    finally:
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(60)
        nodes.clear(instance)


def answers(backend: LocalBackend) -> bool:
    try:
        backend.list()
    except Exception:
        return False
    return True


def _log(backend: LocalBackend, key: WorkloadKey) -> str:
    path = backend.log_path(key)
    return path.read_text() if path.exists() else ""


def _secrets(nodes: Nodes, key: WorkloadKey) -> list[str]:
    return [known["Spec"]["Name"] for known in nodes.api.secrets() if key.name in known["Spec"]["Name"]]

"""A replica in a swarm under load: it is renewed without a failed request, and survives the loss of its machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from modelwright_runtime.handshake import replica_token

from modelwright.compute.backends.base import Cause, Limits, Phase, WorkloadKey, WorkloadSpec
from modelwright.compute.backends.swarm import Shelf, SwarmBackend, SwarmConfig
from modelwright.compute.backends.swarm.names import service_name, task_address

from . import swarm_replica
from .backends_support import new_key, wait_for_end, wait_until
from .kinds import PYTHON_IN_IMAGE
from .swarm_support import MARKS, OWN_ADDRESS, Nodes, container, require_nodes
from .test_swarm import await_phase, status_of

pytestmark = list(MARKS)
NETWORK = "mwt-contract"
TOKEN = "the installation's token"
RUNTIME = Path(__file__).resolve().parents[2] / "platform" / "runtime"
PROGRAM = Path(swarm_replica.__file__)


class Site:
    """A backend, and what a test needs to look at its replicas from within their network."""

    def __init__(self, nodes: Nodes, folder: Path) -> None:
        self.nodes = nodes
        self.config = SwarmConfig(
            root=folder / "workloads",
            instance=f"mwt-{os.urandom(3).hex()}",
            engine=nodes.engine(1),
            network=NETWORK,
            shelf=Shelf(OWN_ADDRESS, 0),
            readable=[RUNTIME],
            attempts=5,
            delay_seconds=0.2,
            monitor_seconds=2.0,
            probe_seconds=1.0,
        )
        self.backend = SwarmBackend(self.config)

    def replica(self, key: WorkloadKey, version: str) -> WorkloadSpec:
        return WorkloadSpec(
            key,
            [PYTHON_IN_IMAGE, "-u", "swarm_replica.py", "serve", version],
            environment={"PYTHONPATH": str(RUNTIME), "MODELWRIGHT_REPLICA_TOKEN": replica_token(TOKEN, key.name)},
            limits=Limits(grace_seconds=2, memory_bytes=256 * 1024 * 1024),
            files={"swarm_replica.py": PROGRAM.read_text()},
            readable=[str(RUNTIME)],
            kind="replica",
            port=swarm_replica.PORT,
            labels={"place": "works"},
        )

    def node_of(self, key: WorkloadKey) -> int:
        return self.nodes.service_node(service_name(self.config.instance, key))

    def containers_of(self, key: WorkloadKey) -> int:
        label = f"com.docker.swarm.service.name={service_name(self.config.instance, key)}"
        return sum(len(found) for found in self.nodes.containers(label).values())


class Router:
    """Asks the replica all the time, from a container in its network."""

    def __init__(self, nodes: Nodes, made: str) -> None:
        self._nodes, self._made = nodes, made

    def state(self) -> dict[str, Any]:
        lines = self._nodes.docker(1, "logs", "--tail", "1", self._made).splitlines()
        state: dict[str, Any] = json.loads(lines[-1]) if lines else {"last": "", "answers": {}, "failed": 0}
        return state

    def knows(self, name: str) -> bool:
        """Whether the network has an address for the name."""
        text = f"import socket; socket.getaddrinfo({name!r}, None)"
        return self._nodes.docker(1, "exec", self._made, "python3", "-c", text) == ""

    def wait_for(self, version: str) -> None:
        wait_until(lambda: self.state()["last"] == version, what=f"version {version}: {self.state()}")

    def wait_for_more(self, version: str) -> None:
        """Some more answers of a version."""
        wanted = self.state()["answers"].get(version, 0) + 20
        wait_until(lambda: self.state()["answers"].get(version, 0) >= wanted, what=f"more answers: {self.state()}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    nodes = require_nodes()
    made = Site(nodes, tmp_path_factory.mktemp("moving"))
    yield made
    made.backend.close()
    nodes.heal()
    nodes.clear(made.config.instance)


@pytest.fixture(scope="module")
def key(site: Site) -> WorkloadKey:
    """Of a replica that runs through all tests here."""
    made = new_key()
    site.backend.start(site.replica(made, "1"))
    await_phase(site.backend, made, Phase.RUNNING)
    return made


@pytest.fixture(scope="module")
def router(site: Site, key: WorkloadKey) -> Iterator[Router]:
    mounts = ["-v", f"{RUNTIME}:/runtime:ro", "-v", f"{PROGRAM}:/router.py:ro", "-e", "PYTHONPATH=/runtime"]
    image = ["--network", NETWORK, "python:3.11-slim", "python3", "-u", "/router.py", "route"]
    address = [task_address(site.config.instance, key), str(swarm_replica.PORT), TOKEN, key.name]
    with container(site.nodes, 1, *mounts, *image, *address) as made:
        router = Router(site.nodes, made)
        router.wait_for("1")
        yield router


def test_it_is_renewed_without_a_failed_request(site: Site, key: WorkloadKey, router: Router) -> None:
    failed = router.state()["failed"]
    site.backend.renew(site.replica(key, "2"))
    router.wait_for("2")
    wait_until(lambda: "version 1 drained" in site.backend.log_path(key).read_text(), what="the end of the first")
    router.wait_for_more("2")
    assert router.state()["failed"] == failed, router.state()
    assert router.knows(key.name)


def test_one_that_does_not_get_ready_leaves_the_present_one(site: Site, key: WorkloadKey, router: Router) -> None:
    failed = router.state()["failed"]
    broken = replace(site.replica(key, "3"), command=[PYTHON_IN_IMAGE, "-c", "raise SystemExit('no such model')"])
    site.backend.renew(broken)
    wait_until(lambda: "could not be renewed" in status_of(site.backend, key).message, what="the note")
    router.wait_for_more("2")
    assert status_of(site.backend, key).phase is Phase.RUNNING
    assert router.state()["failed"] == failed, router.state()
    assert "no such model" in site.backend.log_path(key).read_text()
    states = [event.get("state") for event in site.backend.history(key) if event["event"] == "update"]
    assert "completed" in states
    assert states[-1] in ("rollback_started", "rollback_completed")


def test_a_machine_without_power_is_replaced_by_another(site: Site, key: WorkloadKey, router: Router) -> None:
    node = site.node_of(key)
    site.nodes.script("kill", str(node))
    wait_until(lambda: "does not answer" in status_of(site.backend, key).message, what="the note")
    assert status_of(site.backend, key).phase is Phase.RUNNING
    wait_until(lambda: site.node_of(key) not in (0, node), what="another machine")
    router.wait_for_more("2")
    site.nodes.script("start", str(node))
    site.nodes.heal()


def test_a_machine_cut_off_serves_nothing_under_the_old_fence(site: Site, key: WorkloadKey, router: Router) -> None:
    node = site.node_of(key)
    site.nodes.script("cut", str(node))
    wait_until(lambda: site.node_of(key) not in (0, node), what="another machine")
    router.wait_for_more("2")
    again = WorkloadKey(key.workload_id, key.fence + 1)
    site.backend.stop(key, cause=Cause.LOST, message="Its placement was given up.")
    site.backend.start(site.replica(again, "4"))
    assert wait_for_end(site.backend, key).cause is Cause.LOST
    await_phase(site.backend, again, Phase.RUNNING)
    site.nodes.heal()
    wait_until(lambda: site.containers_of(key) == 0, what="the end of all tasks of the old fence")
    assert site.containers_of(again) == 1
    assert site.backend.start(site.replica(key, "2")).cause is Cause.LOST

"""What a swarm has is what its machines have that take workloads: read, announced, shown, and used in placement."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import placement, swarm_room
from modelwright.compute.announcing import announce_host
from modelwright.compute.backends.base import BackendError, Machine, Spreading
from modelwright.compute.backends.factory import LocalBackend, make_backend
from modelwright.compute.backends.keeper import codec
from modelwright.compute.backends.swarm.machines import machines_of
from modelwright.compute.models import GIB, Host, Workload
from modelwright.core.errors import QuotaExceeded

from .backends_support import wait_until
from .support import fresh, make_host, queue
from .swarm_support import GPU_NODE, MARKS, NODES, require_nodes
from .test_swarm import answers

Announced = Callable[..., Host]
Browser = Callable[[User], Client]
NAMED = [{"NamedResourceSpec": {"Kind": "gpu", "Value": f"GPU-{name}"}} for name in "ba"]
COUNTED = [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 2}}, {"DiscreteResourceSpec": {"Kind": "ssd", "Value": 9}}]


def node(name: str, *, state: str = "ready", availability: str = "active", gpus: Sequence[Any] = ()) -> dict[str, Any]:
    """As an engine of 20.10 describes it."""
    return {
        "ID": f"id-{name}",
        "Spec": {"Labels": {"place": name}, "Role": "worker", "Availability": availability},
        "Description": {
            "Hostname": name,
            "Resources": {
                "NanoCPUs": 2_500_000_000,
                "MemoryBytes": 4 * GIB,
                **({"GenericResources": list(gpus)} if gpus else {}),
            },
        },
        "Status": {"State": state},
    }


def machine(name: str, *gpus: str, cpu: float = 2, memory: int = 4 * GIB, **labels: str) -> Machine:
    return Machine(f"id-{name}", name, cpu, memory, gpus, labels)


def test_a_machine_that_takes_no_workloads_counts_for_nothing() -> None:
    nodes = [
        node("b"),
        node("a"),
        node("asked-anew", state="unknown"),
        node("drained", availability="drain"),
        node("paused", availability="pause"),
        node("down", state="down"),
        node("lost", state="disconnected"),
    ]
    assert [each.title for each in machines_of(nodes, "gpu")] == ["a", "asked-anew", "b"]
    (first, *_) = machines_of(nodes, "gpu")
    assert first == Machine("id-a", "a", 2.5, 4 * GIB, [], {"place": "a"})


def test_gpus_are_named_or_counted() -> None:
    (named,) = machines_of([node("a", gpus=NAMED)], "gpu")
    (counted,) = machines_of([node("b", gpus=COUNTED)], "gpu")
    assert (list(named.gpus), list(counted.gpus)) == (["GPU-a", "GPU-b"], ["id-b/0", "id-b/1"])
    assert codec.machine_from_json(codec.machine_to_json(named)) == named


@pytest.fixture
def announced(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Announced:
    """Has the swarm announce itself with these machines."""
    settings.BACKEND, settings.HOST_NAME = "swarm", "swarm"
    for name in ("MODELWRIGHT_HOST_CPU", "MODELWRIGHT_HOST_MEMORY_GIB"):
        monkeypatch.delenv(name, raising=False)
    reader = swarm_room.Reader()
    monkeypatch.setattr(swarm_room, "READER", reader)

    def announce(*machines: Machine) -> Host:
        reader.machines = machines
        return announce_host()

    return announce


def test_a_swarm_has_what_its_machines_have_together(announced: Announced) -> None:
    host = announced(machine("a"), machine("b", "GPU-x", "GPU-y", cpu=4, memory=8 * GIB))
    assert (host.cpu, host.memory_bytes) == (6, 12 * GIB)
    assert [(gpu["index"], gpu["uuid"], gpu["name"]) for gpu in host.gpus] == [
        (0, "GPU-x", "of b"),
        (1, "GPU-y", "of b"),
    ]
    host = announced(machine("a"))
    assert (host.cpu, host.memory_bytes, host.gpus) == (2, 4 * GIB, [])
    event = AuditEvent.objects.filter(action="host.announced").latest("pk")
    assert event.before is not None
    assert [each["name"] for each in event.before["machines"]] == ["a", "b"]
    host = announced()
    assert (host.cpu, host.memory_bytes, host.machines) == (0, 0, [])


def test_an_administrators_setting_only_bounds_it(announced: Announced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWRIGHT_HOST_CPU", "3")
    monkeypatch.setenv("MODELWRIGHT_HOST_MEMORY_GIB", "100")
    host = announced(machine("a"), machine("b"))
    assert (host.cpu, host.memory_bytes) == (3, 8 * GIB)
    assert announced(machine("a")).cpu == 2


def test_until_the_machines_are_known_nothing_changes(announced: Announced, settings: Settings, data: Path) -> None:
    settings.KEEPER_SOCKET = str(data / "no-keeper.sock")
    swarm_room.READER.read()
    assert swarm_room.READER.machines is None
    host = announce_host()
    assert (host.cpu, host.machines) == (0, [])
    assert "does not answer" in host.facts["machines_problem"]
    announced(machine("a"))
    swarm_room.READER.read()
    assert announce_host().cpu == 2, "what was known last"
    swarm_room.READER.problem = ""
    assert "machines_problem" not in announce_host().facts


def test_a_gpu_keeps_its_index_while_machines_come_and_go(announced: Announced) -> None:
    announced(machine("a", "GPU-a"), machine("b", "GPU-b"), machine("c", "GPU-c"))
    host = announced(machine("c", "GPU-c"))
    assert [(gpu["index"], gpu["uuid"]) for gpu in host.gpus] == [(2, "GPU-c")]
    host = announced(machine("c", "GPU-c"), machine("d", "GPU-d", "GPU-e"))
    assert [(gpu["index"], gpu["uuid"]) for gpu in host.gpus] == [(0, "GPU-d"), (1, "GPU-e"), (2, "GPU-c")]


def ask(**changes: Any) -> Workload:
    """A replica that waits for a place."""
    return queue(**{"kind": "replica", **changes})


def reason_of(workload: Workload) -> str:
    """Why it waits after a look at the queue, empty where it does not."""
    placement.place(workload.pk)
    waiting = fresh(workload)
    return waiting.waiting_reason if waiting.host is None else ""


@pytest.mark.django_db(transaction=True)
def test_one_machine_must_hold_a_replica(announced: Announced) -> None:
    announced(machine("a"), machine("b"), machine("c", "GPU-c"))
    for size in ({"cpu": 3.0}, {"memory_bytes": 5 * GIB}, {"gpus": 2}):
        with pytest.raises(QuotaExceeded, match="the largest, a machine of swarm, has 2 CPUs, 4 GiB and 1 GPU"):
            ask(**size)
    announced(machine("large", cpu=4))
    large, small = ask(cpu=3.0), ask(cpu=2.0)
    announced(machine("a"), machine("b"))
    assert "no active host is that large: the largest, a machine of swarm, has 2 CPUs" in reason_of(large)
    assert reason_of(small) == ""
    announced(machine("a"), machine("large", cpu=4))
    assert reason_of(large) == ""


@pytest.mark.django_db(transaction=True)
def test_a_size_goes_where_a_machine_has_its_labels(announced: Announced) -> None:
    announced(machine("a", zone="a"), machine("b", cpu=8, zone="b", disk="ssd"))
    assert reason_of(ask(labels={"zone": "a"})) == ""
    assert reason_of(ask(labels={"zone": "b", "disk": "ssd"})) == ""
    with pytest.raises(QuotaExceeded, match="the labels disk=ssd and zone=a, and there is none"):
        ask(labels={"zone": "a", "disk": "ssd"})
    large = {"cpu": 4.0, "labels": {"zone": "a"}}
    with pytest.raises(QuotaExceeded):
        ask(**large)
    announced(machine("a", cpu=8, zone="a"))
    waits = ask(**large)
    announced(machine("a", zone="a"), machine("b", cpu=8, zone="b"))
    assert "is that large" in reason_of(waits)
    # A label that the swarm as a whole was given is on none of its machines, where the size wants it.
    Host.objects.update(labels={"team": "red"})
    with pytest.raises(QuotaExceeded):
        ask(labels={"team": "red"})


@pytest.mark.django_db(transaction=True)
def test_what_a_drained_machine_had_is_given_to_nobody(announced: Announced) -> None:
    announced(machine("a"), machine("b"))
    assert reason_of(ask(cpu=1.5)) == ""
    announced(machine("b"))
    second = ask(cpu=1.5)
    assert "host swarm has 0.5 CPUs" in reason_of(second)
    announced(machine("a"), machine("b"))
    assert reason_of(second) == ""


def test_the_page_and_rest_tell_of_the_machines(
    announced: Announced, browser_client: Browser, stranger: User, settings: Settings
) -> None:
    host = announced(machine("node-of-ours", "GPU-x", zone="a"))
    page = browser_client(stranger).get(f"/hosts/{host.pk}/").content.decode()
    assert "node-of-ours" in page
    assert "zone=a" in page
    told = browser_client(stranger).get(f"/api/v1/hosts/{host.pk}/").json()["machines"]
    assert told == [
        {
            "id": "id-node-of-ours",
            "name": "node-of-ours",
            "cpu": 2.0,
            "memory_bytes": 4 * GIB,
            "gpus": 1,
            "labels": {"zone": "a"},
        }
    ]
    host = announced()
    assert "No machine takes workloads" in browser_client(stranger).get(f"/hosts/{host.pk}/").content.decode()
    assert "Machines" not in browser_client(stranger).get(f"/hosts/{make_host('plain').pk}/").content.decode()


def machines(backend: LocalBackend) -> dict[str, Machine]:
    assert isinstance(backend, Spreading)
    return {each.title: each for each in backend.machines()}


class TestOnNodes:
    """With a keeper beside the manager of three."""

    pytestmark = list(MARKS)

    def test_machines_that_are_drained_or_gone_are_not_counted(self, tmp_path: Path) -> None:
        nodes, socket, root = require_nodes(), tmp_path / "keeper.sock", tmp_path / "workloads"
        command = [sys.executable, "-m", "modelwright.compute.backends.keeper", "--backend", "swarm"]
        command += ["--socket", str(socket), "--root", str(root), "--instance", f"mwt-{os.urandom(3).hex()}"]
        keeper = subprocess.Popen([*command, "--engine", nodes.engine(1)], stdin=subprocess.DEVNULL)
        backend = make_backend("swarm", root=root, keeper_socket=socket)
        try:
            wait_until(lambda: answers(backend), what="the keeper")
            found = machines(backend)
            assert set(found) == {f"node{number}" for number in range(1, NODES + 1)}
            assert all(each.cpu == os.cpu_count() and each.memory_bytes > GIB for each in found.values())
            assert {title: len(each.gpus) for title, each in found.items() if each.gpus} == {f"node{GPU_NODE}": 2}
            assert found["node2"].labels["place"] == "works"
            nodes.docker(1, "node", "update", "--availability", "drain", "node2")
            assert set(machines(backend)) == {"node1", "node3"}
            nodes.docker(1, "node", "update", "--availability", "active", "node2")
            nodes.script("cut", "3")
            wait_until(lambda: set(machines(backend)) == {"node1", "node2"}, what="a machine fewer")
            nodes.heal()
            assert set(machines(backend)) == set(found)
        finally:
            nodes.docker(1, "node", "update", "--availability", "active", "node2")
            nodes.heal()
            keeper.terminate()
            keeper.wait(60)

    def test_a_host_of_one_machine_has_none(self, tmp_path: Path) -> None:
        nodes, socket, root = require_nodes(), tmp_path / "keeper.sock", tmp_path / "workloads"
        command = [sys.executable, "-m", "modelwright.compute.backends.keeper", "--engine", nodes.engine(1)]
        command += ["--socket", str(socket), "--root", str(root), "--instance", f"mwt-{os.urandom(3).hex()}"]
        keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        backend = make_backend("docker", root=root, keeper_socket=socket)
        try:
            wait_until(lambda: answers(backend), what="the keeper")
            with pytest.raises(BackendError, match="one machine"):
                machines(backend)
        finally:
            keeper.terminate()
            keeper.wait(60)

"""An endpoint in a swarm: its replicas are services on three machines, and answer through the gateway of this one.

The platform and the swarm's host are programs of this machine, as people start them; the machines of the swarm are
namespaces with engines of their own. Nothing is attached to the swarm's network by hand. What goes through the swarm's
entrance is encrypted, and the platform insists on that.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from models.gateway.addresses import ENTRANCE_MAGIC
from modelwright.local.demo.client import Client, sign_in
from modelwright.local.demo.steps import Demonstration
from modelwright.local.keeper import instance
from modelwright.local.layout import Layout
from tests.certificates import certificate
from tests.compose.journey import Served, recorded, serve_iris
from tests.compute.registry import Registry
from tests.compute.swarm_support import MARKS, OWN_ADDRESS, Nodes, require_nodes, take_down
from tests.e2e.load import Load
from tests.e2e.stack import DEMO_END, ROOT, Stack, free_port, own_environment, wait_for

pytestmark = [*MARKS, pytest.mark.timeout(1500)]
MANAGER = "10.201.0.1"
HOST = "swarm"


class Swarm:
    """The platform, and the host that is the swarm."""

    def __init__(self, nodes: Nodes, folder: Path) -> None:
        self.nodes, self.folder = nodes, folder
        self.registry = Registry(OWN_ADDRESS)
        self.layout = Layout(folder / "host")
        blobs = str(folder / "files")
        self.certificates = [certificate(folder, MANAGER, name) for name in ("first-", "second-")]
        self.trusted = folder / "trusted.pem"
        self.trusted.write_bytes(b"".join(cert.read_bytes() for cert, _ in self.certificates))
        ports = ["--hosts-database-port", str(free_port()), "--hosts-redis-port", str(free_port())]
        self.platform = Stack(
            folder,
            "up",
            *("--hosts-address", OWN_ADDRESS, *ports),
            MODELWRIGHT_BLOBS=blobs,
            MODELWRIGHT_HOSTS_BLOBS=blobs,
            MODELWRIGHT_BRIDGE_CA_FILE=str(self.trusted),
        )
        self.host: subprocess.Popen[bytes] | None = None
        self.api: Client

    def start(self) -> None:
        """The platform, then the host with a token that is good for once."""
        self.platform.wait_for_line(DEMO_END, 0, 300)
        self.api = sign_in(self.platform.web_url, "admin", self.platform.password, "tests")
        token = self.api.post("/api/v1/hosts/tokens/", {})["token"]
        web = f"http://{OWN_ADDRESS}:{self.platform.ports[0]}"
        command = [sys.executable, "-m", "modelwright.local", "join", web, "--token", token, "--name", HOST]
        command += ["--data-dir", str(self.layout.data), "--backend", "swarm", "--address", MANAGER]
        command += [
            "--bridge-port",
            "8100",
            "--shelf",
            f"{OWN_ADDRESS}:{free_port()}",
            "--registry",
            self.registry.name,
        ]
        cert, key = self.certificates[0]
        command += ["--tls-cert", str(cert), "--tls-key", str(key)]
        with (self.folder / "host.txt").open("wb") as printed:
            self.host = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**own_environment(), "DOCKER_HOST": self.nodes.engine(1)},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for("the host", self.is_there, 180, self.said)

    def is_there(self) -> bool:
        """Whether the host has told what it has."""
        assert self.host is not None
        assert self.host.poll() is None, self.said()
        return any(one["name"] == HOST and one["machines"] for one in self.api.get("/api/v1/hosts/")["results"])

    def row(self) -> dict[str, Any]:
        """The host as the platform knows it."""
        (found,) = [one for one in self.api.get("/api/v1/hosts/")["results"] if one["name"] == HOST]
        return dict(found)

    def said(self) -> str:
        """The ends of the host's logs."""
        logs = [self.folder / "host.txt", *sorted(self.layout.logs.glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2500:]}" for log in logs if log.exists())

    def services(self) -> list[dict[str, Any]]:
        """What the swarm's manager tells of the replicas."""
        mine = {"label": f"modelwright.instance={instance(self.layout)}"}
        found: list[dict[str, Any]] = self.nodes.api.services(filters=mine)
        return found

    def containers(self, service: str) -> dict[int, list[str]]:
        """By machine: the running containers of a service."""
        found = self.nodes.containers(f"com.docker.swarm.service.name={service}")
        return {node: ids for node, ids in found.items() if ids}

    def stop(self) -> None:
        """The host first: it ends what runs there."""
        if self.host is not None and self.host.poll() is None:
            self.host.send_signal(signal.SIGINT)
            try:
                self.host.wait(120)
            except subprocess.TimeoutExpired:
                self.host.kill()
        left = self.services()
        self.platform.stop()
        self.registry.close()
        self.nodes.clear(instance(self.layout))
        assert left == []


@pytest.fixture(scope="module")
def swarm() -> Iterator[Swarm]:
    """A running platform with a swarm among its hosts."""
    nodes = require_nodes()
    # Sockets' paths must be short, and PostgreSQL's user must pass.
    folder = Path(tempfile.mkdtemp(prefix="mws-", dir="/tmp"))
    folder.chmod(0o755)
    made = Swarm(nodes, folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        take_down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def served(swarm: Swarm) -> Served:
    """A model from the registry that answers."""
    try:
        return serve_iris(swarm.api, "spread")
    except Exception as error:
        raise AssertionError(f"{error}\n{swarm.said()}\n{swarm.platform.log_tails()}") from error


def test_a_registered_model_answers_from_the_swarm_through_the_gateway(swarm: Swarm, served: Served) -> None:
    (service,) = swarm.services()
    assert len(swarm.containers(service["Spec"]["Name"])) == 1
    assert service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"].startswith(swarm.registry.name)
    answers = served.ask()
    assert [answer["version"] for answer in answers] == [1, 1]
    assert all(answer["predictions"] for answer in answers)
    wait_for("the predictions on record", lambda: recorded(swarm.api, served) >= 2, 60)
    # Jobs stay where files can be left behind.
    project = next(swarm.api.pages("/api/v1/projects/"))
    runs = list(swarm.api.pages(f"/api/v1/projects/{project['id']}/runs/"))
    assert runs
    assert HOST not in {run["host"] for run in runs}


def shown() -> str:
    """The certificate of the entrance, empty while it shows none."""
    try:
        return ssl.get_server_certificate((MANAGER, 8100), timeout=5).strip()
    except OSError:
        return ""


def test_nothing_is_said_in_the_clear_at_the_entrance(swarm: Swarm, served: Served) -> None:
    assert shown() == swarm.certificates[0][0].read_text().strip()
    with socket.create_connection((MANAGER, 8100), 10) as connection, suppress(ConnectionResetError):
        connection.sendall(ENTRANCE_MAGIC + bytes([50]) + b"x" * 50)
        assert b"mw" not in connection.recv(100)
    key = swarm.certificates[0][1].read_text().splitlines()[1]
    told = [swarm.nodes.docker(1, "secret", "inspect", known["ID"]) for known in swarm.nodes.api.secrets()]
    told += [swarm.nodes.docker(1, "service", "inspect", f"{instance(swarm.layout)}-entrance")]
    assert not [text for text in told if key in text]


def test_a_certificate_that_is_renewed_is_used_soon(swarm: Swarm, served: Served) -> None:
    (cert, key), (later_cert, later_key) = swarm.certificates
    wanted = later_cert.read_text().strip()
    for source, target in ((later_cert, cert), (later_key, key)):
        target.write_bytes(source.read_bytes())
    wait_for("the certificate", lambda: shown() == wanted, 120, swarm.said)
    assert wait_for("answers", served.answers, 120, swarm.said)
    label = f"modelwright.site={instance(swarm.layout)}"
    wait_for("one secret", lambda: len(swarm.nodes.api.secrets(filters={"label": label})) == 1, 60, swarm.said)


def test_a_machine_that_is_drained_is_not_counted(swarm: Swarm) -> None:
    """Nobody has told the platform how much there is."""
    one = os.cpu_count() or 0
    assert [each["name"] for each in swarm.row()["machines"]] == ["node1", "node2", "node3"]
    assert (swarm.row()["cpu"], len(swarm.row()["gpus"])) == (3 * one, 2)
    try:
        swarm.nodes.docker(1, "node", "update", "--availability", "drain", "node3")
        wait_for("less room", lambda: swarm.row()["cpu"] == 2 * one, 30, swarm.said)
        assert swarm.row()["gpus"] == []
    finally:
        swarm.nodes.docker(1, "node", "update", "--availability", "active", "node3")
    wait_for("all room", lambda: (swarm.row()["cpu"], len(swarm.row()["gpus"])) == (3 * one, 2), 30, swarm.said)


def test_a_version_is_renewed_without_a_failed_request(swarm: Swarm, served: Served) -> None:
    project = next(swarm.api.pages("/api/v1/projects/"))
    demonstration = Demonstration(swarm.api, print, Event())
    demonstration.run_job(project, "train")
    second = demonstration.version(project, 2)
    with Load(served.endpoint["url"], served.key, served.records[0], clients=2) as load:
        wait_for("answers", lambda: load.count > 20, 60)
        demonstration.deploy(served.endpoint, second)
        wait_for("answers of the second", lambda: list(load.acknowledged.values()).count(2) > 20, 60)
    assert not load.failures, load.failures
    assert set(load.acknowledged.values()) == {1, 2}


def test_a_task_that_is_killed_is_replaced_by_the_swarm(swarm: Swarm, served: Served) -> None:
    before = {service["ID"] for service in swarm.services()}
    running = {name: swarm.containers(name) for name in (service["Spec"]["Name"] for service in swarm.services())}
    answers = served.ask()
    for found in running.values():
        for node, ids in found.items():
            swarm.nodes.docker(node, "kill", "--signal", "KILL", *ids)
    killed = {each for found in running.values() for ids in found.values() for each in ids}

    def replaced() -> bool:
        present = [swarm.containers(name) for name in running]
        return all(found and not killed & {each for ids in found.values() for each in ids} for found in present)

    wait_for("other tasks", replaced, 120, swarm.said)
    assert wait_for("answers again", served.answers, 120, swarm.said) == answers
    # The swarm has done that: for the platform it is the same replica.
    assert {service["ID"] for service in swarm.services()} == before

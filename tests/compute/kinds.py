"""The kinds of backends that keep the same contract, and what only one who knows the kind can do from outside."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import Phase, WorkloadKey, WorkloadSpec, WorkloadStatus
from modelwright.compute.backends.docker import DockerBackend, DockerConfig
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.backends.keeper import KeeperBackend
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.backends.shim import processes
from modelwright.compute.backends.swarm import Shelf, SwarmBackend, SwarmConfig
from tests import engine

from .backends_support import wait_until
from .swarm_support import OWN_ADDRESS, require_nodes

# Where the images of Python have it; the interpreter of the tests is not in them.
PYTHON_IN_IMAGE = "/usr/local/bin/python3"
Parameters = dict[str, Any]


def in_image(command: Sequence[str]) -> list[str]:
    """The command with the image's Python in place of the one that runs the tests."""
    return [PYTHON_IN_IMAGE if part == sys.executable else part for part in command]


class DockerInTests(DockerBackend):
    """Runs the scripts of the contract, which name this interpreter, on the image's Python."""

    def start(self, spec: WorkloadSpec) -> WorkloadStatus:
        return super().start(replace(spec, command=in_image(spec.command)))


class SwarmInTests(SwarmBackend):
    """The same on nodes of a swarm."""

    def start(self, spec: WorkloadSpec) -> WorkloadStatus:
        return super().start(replace(spec, command=in_image(spec.command)))


class KeeperInTests(KeeperBackend):
    """The same through a keeper."""

    def start(self, spec: WorkloadSpec) -> WorkloadStatus:
        return super().start(replace(spec, command=in_image(spec.command)))


def build(parameters: Parameters) -> LocalBackend:
    """A backend in any process: another one on the same root is made from the same parameters."""
    root = Path(parameters["root"])
    if parameters["kind"] == "docker":
        return DockerInTests(DockerConfig(root=root, instance=parameters["instance"]))
    if parameters["kind"] == "keeper":
        return KeeperInTests(Path(parameters["socket"]), root)
    if parameters["kind"] == "swarm":
        shelf = Shelf(OWN_ADDRESS, 0)
        return SwarmInTests(
            SwarmConfig(root, parameters["instance"], parameters["engine"], network=parameters["network"], shelf=shelf)
        )
    return ProcessBackend(root, use_cgroups=parameters["kind"] == "process-cgroups")


class Kind:
    """Host processes, and what all kinds share."""

    def __init__(self, name: str, folder: Path) -> None:
        self.parameters: Parameters = {"kind": name, "root": str(folder / "workloads")}
        self._made: list[LocalBackend] = []

    @property
    def bounds_processes(self) -> bool:
        return bool(self.parameters["kind"] != "process-watched")

    def again(self) -> LocalBackend:
        """Another backend on the same root."""
        made = build(self.parameters)
        self._made.append(made)
        return made

    def host_pid(self, key: WorkloadKey, pid: int) -> int:
        """The host's number of the process that calls itself `pid`."""
        return pid

    def supervisor_pid(self, key: WorkloadKey) -> int:
        """The process whose death takes the workload's record with it."""
        status = json.loads((Path(self.parameters["root"]) / key.name / "status.json").read_text())
        return int(status["shim_pid"])

    def close(self) -> None:
        """Ends what a failed test leaves running."""
        for status in self._made[0].list() if self._made else []:
            if status.phase is not Phase.ENDED:
                self._made[0].stop(status.key)


class DockerKind(Kind):
    """Containers, minded by this process."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.client = engine.require_engine()
        self.parameters["instance"] = f"{engine.INSTANCE}-{os.urandom(3).hex()}"

    def host_pid(self, key: WorkloadKey, pid: int) -> int:
        space = os.readlink(f"/proc/{self.supervisor_pid(key)}/ns/pid")
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _number_in(entry, space) == pid:
                return int(entry.name)
        raise AssertionError(f"no process of {key.name} calls itself {pid}")

    def supervisor_pid(self, key: WorkloadKey) -> int:
        return int(self.container(key).attrs["State"]["Pid"])

    def container(self, key: WorkloadKey) -> Any:
        return self.client.containers.get(f"{self.parameters['instance']}-{key.name}")

    def names(self) -> list[str]:
        """Names of this test's containers, whatever state they are in."""
        label = {"label": f"modelwright.instance={self.parameters['instance']}"}
        return [str(found["Names"][0][1:]) for found in self.client.api.containers(all=True, filters=label)]

    def adopt(self, made: LocalBackend) -> None:
        """Closes it after the test."""
        self._made.append(made)

    def make_image(self, name: str, dockerfile: str) -> None:
        """A ready image of an administrator; it goes with the test."""
        label = {"modelwright.instance": self.parameters["instance"]}
        self.client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name, labels=label, rm=True)

    def close(self) -> None:
        for made in self._made:
            if isinstance(made, DockerBackend):
                made.close()
        engine.clear(self.parameters["instance"])
        self.client.close()


class KeeperKind(DockerKind):
    """Containers behind a keeper: a process of its own, which alone knows the engine."""

    def __init__(self, name: str, folder: Path, *options: str) -> None:
        super().__init__(name, folder)
        self.folder = folder
        self.options = options
        self.parameters["socket"] = str(folder / "keeper.sock")
        self.keeper = self.start_keeper()

    def start_keeper(self) -> subprocess.Popen[bytes]:
        """Starts it and waits until it answers."""
        command = [sys.executable, "-m", "modelwright.compute.backends.keeper"]
        command += ["--socket", self.parameters["socket"], "--root", self.parameters["root"]]
        command += ["--instance", self.parameters["instance"], *self.options]
        with (self.folder / "keeper.log").open("ab") as log:
            self.keeper = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(self.answers, what="the keeper")
        return self.keeper

    def answers(self) -> bool:
        assert self.keeper.poll() is None, (self.folder / "keeper.log").read_text()
        try:
            KeeperBackend(Path(self.parameters["socket"]), Path(self.parameters["root"])).list()
        except Exception:
            return False
        return True

    def kill_keeper(self) -> None:
        self.keeper.kill()
        self.keeper.wait()

    def close(self) -> None:
        self.keeper.send_signal(signal.SIGTERM)
        self.keeper.wait(60)
        super().close()


class SwarmKind(Kind):
    """Services of a swarm, minded by this process."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.nodes = require_nodes()
        self.parameters |= {
            "instance": f"mwt-{os.urandom(3).hex()}",
            "engine": self.nodes.engine(1),
            "network": "mwt-contract",
        }

    def host_pid(self, key: WorkloadKey, pid: int) -> int:
        return next(found for found in left_over(key) if _numbers(found)[-1] == pid)

    def supervisor_pid(self, key: WorkloadKey) -> int:
        found = left_over(key)[0]
        while _numbers(found)[-1] != 1:
            found = int((Path("/proc") / str(found) / "stat").read_text().rpartition(")")[2].split()[1])
        return found

    def close(self) -> None:
        for made in self._made:
            if isinstance(made, SwarmBackend):
                made.close()
        self.nodes.clear(self.parameters["instance"])


def make_kind(name: str, folder: Path) -> Kind:
    """By the name that a test's parameter has."""
    made = {"docker": DockerKind, "keeper": KeeperKind, "swarm": SwarmKind}.get(name, Kind)
    return made(name, folder)


def left_over(key: WorkloadKey) -> list[int]:
    """Processes of the workload that are still there."""
    return processes.marked(f"MODELWRIGHT_WORKLOAD={key.name}")


def _number_in(entry: Path, space: str) -> int | None:
    """What the process is called in the given space of numbers, None when it is in another."""
    try:
        if os.readlink(entry / "ns" / "pid") != space:
            return None
        for line in (entry / "status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    except OSError:
        pass
    return None


def _numbers(pid: int) -> list[int]:
    """What the process is called in each space of numbers that it is in, the host's first."""
    lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    return next([int(part) for part in line.split()[1:]] for line in lines if line.startswith("NSpid:"))

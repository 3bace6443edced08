"""Nodes of a swarm on this machine, for tests: whole engines in network and process spaces of their own."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import docker
import pytest

from tests import engine

from .backends_support import wait_until

SCRIPT = engine.SCRIPTS / "swarm-nodes.sh"
FAKE_GPU = engine.SCRIPTS / "fake-gpu"
NODES = 3
# This machine, as nodes see it.
OWN_ADDRESS = "10.201.0.254"
GPU_NODE = 3
_LOCK = Path("/tmp/modelwright-test-swarm.lock")
# In turn: nodes are cut off and come back within seconds.
MARKS = (pytest.mark.slow, pytest.mark.e2e, pytest.mark.machines)

_ELSEWHERE = "a swarm takes seconds for each task; containers have the same first process and try it"
NOT_FOR_SWARM: Mapping[str, str] = {
    "test_a_second_start_adopts_and_runs_nothing_twice": "what a task writes stays on its machine",
    "test_the_workload_outlives_a_killed_starter_and_another_adopts_it": "no file can be handed to a running task",
    "test_cpu_is_a_share_by_default_and_a_ceiling_on_request": "a swarm knows no shares; see test_swarm_parts.py",
    "test_secrets_stand_neither_in_a_file_nor_on_a_command_line": "see test_swarm.py, which looks at every machine",
    "test_a_record_that_makes_no_sense_reads_as_lost": _ELSEWHERE,
    "test_memory_of_all_children_together_counts": _ELSEWHERE,
    "test_memory_below_the_limit_is_left_alone": _ELSEWHERE,
    "test_an_exception_is_failure_and_its_traceback_is_in_the_log": _ELSEWHERE,
    "test_another_exit_code_is_failure_and_kept": _ELSEWHERE,
    "test_an_endless_script_is_timed_out": _ELSEWHERE,
    "test_a_lost_workload_is_not_started_again": _ELSEWHERE,
    "test_stop_after_the_end_changes_nothing": _ELSEWHERE,
    "test_output_is_in_the_log_while_the_script_runs": _ELSEWHERE,
    "test_everything_on_a_host_is_stopped_at_once": _ELSEWHERE,
    "test_a_fork_bomb_ends_with_the_workload": _ELSEWHERE,
}


class Nodes:
    """The nodes, as the script keeps them. The first one is the manager."""

    def __init__(self, lock: IO[str]) -> None:
        """Brings them up with the base image on each. The lock is given back with them."""
        self._lock = lock
        gpus = (
            f"--add-runtime nvidia={FAKE_GPU}/nvidia-container-runtime --default-runtime nvidia "
            "--node-generic-resource gpu=GPU-fake-0 --node-generic-resource gpu=GPU-fake-1"
        )
        self.environment = {**os.environ, f"NODE_OPTS_{GPU_NODE}": gpus}
        self.environment.pop("DOCKER_HOST", None)
        self.script("up", str(NODES))
        self.script("load", engine.BASE_IMAGE)
        self.api = docker.APIClient(base_url=self.engine(1), version="auto", timeout=60)
        self.docker(1, "swarm", "update", "--dispatcher-heartbeat", "1s")
        for number in (2, 3):
            self.docker(1, "node", "update", "--label-add", "place=works", f"node{number}")

    def script(self, *arguments: str) -> str:
        """Runs the script; its output."""
        done = subprocess.run(
            [str(SCRIPT), *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def docker(self, node: int, *arguments: str) -> str:
        """The engine's command line on a node."""
        return self.script("docker", str(node), *arguments)

    def engine(self, node: int) -> str:
        """The address of a node's engine."""
        return self.script("env", str(node)).strip().partition("DOCKER_HOST=")[2]

    def containers(self, label: str) -> dict[int, list[str]]:
        """By node that is on: the running containers whose label is as given."""
        found = {}
        for line in self.script("status").splitlines():
            if line.startswith("node") and line.split()[1] == "on":
                number = int(line.split()[0].removeprefix("node"))
                found[number] = self.docker(number, "ps", "-q", "--filter", f"label={label}").split()
        return found

    def service_node(self, name: str) -> int:
        """Where the running task of the service is, 0 while there is none."""
        tasks = self.api.tasks(filters={"service": name, "desired-state": "running"})
        running = [task for task in tasks if task["Status"]["State"] == "running"]
        if not running:
            return 0
        hostname = self.api.inspect_node(running[-1]["NodeID"])["Description"]["Hostname"]
        return int(hostname.removeprefix("node"))

    def heal(self) -> None:
        """Everything on, plugged in and ready."""
        for number in range(1, NODES + 1):
            self.script("mend", str(number))
            self.script("start", str(number))
        wait_until(lambda: all(n["Status"]["State"] == "ready" for n in self.api.nodes()), what="the nodes")

    def clear(self, instance: str) -> None:
        """Removes what an installation left."""
        for label in (f"modelwright.instance={instance}", f"modelwright.site={instance}"):
            for service in self.api.services(filters={"label": label}):
                self.api.remove_service(service["ID"])
            for secret in self.api.secrets(filters={"label": label}):
                self.api.remove_secret(secret["ID"])

    def down(self) -> None:
        """Leaves nothing behind."""
        self.api.close()
        self.script("down")
        self._lock.close()


def take_down() -> None:
    """Ends the nodes where there are any."""
    if require_nodes.cache_info().currsize:
        require_nodes().down()
        require_nodes.cache_clear()


@functools.cache
def require_nodes() -> Nodes:
    """The nodes of this process's tests; skips the test with the reason where there can be none."""
    if reason := _missing():
        pytest.skip(f"NO SWARM: {reason}")
    engine.require_engine()
    lock = _LOCK.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pytest.skip("NO SWARM: another session uses the nodes of this machine")
    return Nodes(lock)


def _missing() -> str:
    if os.geteuid() != 0:
        return "its nodes need root"
    if not SCRIPT.exists():
        return f"{SCRIPT} is not there"
    return ""


@contextlib.contextmanager
def container(nodes: Nodes, node: int, *arguments: str) -> Iterator[str]:
    """A container beside the services; its id."""
    made = nodes.docker(node, "run", "-d", *arguments).strip()
    try:
        yield made
    finally:
        nodes.docker(node, "rm", "-f", made)


def seconds_until(condition: Any, *, what: str) -> float:
    """How long it took."""
    began = time.monotonic()
    wait_until(condition, what=what)
    return time.monotonic() - began

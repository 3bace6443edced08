"""Machines that share no network but a cable each: network namespaces around one bridge. Root is needed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 60


def missing() -> str:
    """Why there can be no such machines here, empty where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "there is no `ip` (iproute2)"
    tried = subprocess.run(["ip", "netns", "add", f"mwtry{os.getpid()}"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespace can be made: {tried.stderr.strip()}"
    ip("netns", "del", f"mwtry{os.getpid()}")
    return ""


def ip(*words: str, netns: str = "") -> None:
    """One `ip` command. Raises AssertionError with what it said."""
    place = ["-n", netns] if netns else []
    done = subprocess.run(["ip", *place, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Network:
    """A bridge in a namespace of its own, with this test as one of the machines."""

    def __init__(self) -> None:
        self.tag = f"mw{os.getpid() % 100000}"
        self.hub = f"{self.tag}hub"
        self.subnet = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.machines: list[Machine] = []
        ip("netns", "add", self.hub)
        ip("link", "add", "br0", "type", "bridge", netns=self.hub)
        ip("link", "set", "br0", "up", netns=self.hub)
        ip("link", "add", self.tag, "type", "veth", "peer", "name", "test", "netns", self.hub)
        ip("link", "set", "test", "master", "br0", "up", netns=self.hub)
        ip("addr", "add", f"{self.subnet}.254/24", "dev", self.tag)
        ip("link", "set", self.tag, "up")

    def machine(self, name: str, folder: Path, **environment: str) -> Machine:
        """A new machine with a cable to the bridge."""
        made = Machine(self, name, len(self.machines) + 1, folder, environment)
        self.machines.append(made)
        return made

    def close(self) -> None:
        """End what was started on the machines and take them away."""
        for machine in reversed(self.machines):
            machine.stop()
        for machine in self.machines:
            machine.end_everything()
            ip("netns", "del", machine.netns)
        with suppress(AssertionError):
            ip("link", "del", self.tag)
        ip("netns", "del", self.hub)


class Machine:
    """One machine. Its files lie in `folder`; `environment` is for every process that is started on it."""

    def __init__(self, network: Network, name: str, number: int, folder: Path, environment: dict[str, str]) -> None:
        self.network, self.name, self.folder, self.environment = network, name, folder, environment
        self.netns, self.cable = f"{network.tag}{name}", f"c{number}"
        self.address = f"{network.subnet}.{number}"
        self.data = folder / name
        self.printed = folder / f"{name}.txt"
        self.printed.touch()
        self.process: subprocess.Popen[bytes] | None = None
        ip("netns", "add", self.netns)
        ip("link", "set", "lo", "up", netns=self.netns)
        ip("link", "add", "eth0", "type", "veth", "peer", "name", self.cable, "netns", network.hub, netns=self.netns)
        ip("link", "set", self.cable, "master", "br0", "up", netns=network.hub)
        ip("addr", "add", f"{self.address}/24", "dev", "eth0", netns=self.netns)
        ip("link", "set", "eth0", "up", netns=self.netns)

    def start(self, *words: str) -> None:
        """Run `./modelwright …` on the machine; what it prints goes into `printed`."""
        ours = ("DATABASE_URL", "REDIS_URL", "MLFLOW_", "MODELWRIGHT_", "DJANGO_", "PYTEST_", "PYTHONPATH")
        base = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        with self.printed.open("ab") as printed:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.netns, sys.executable, "-m", "modelwright.local", *words],
                cwd=ROOT,
                env={**base, "MODELWRIGHT_DATA_DIR": str(self.data), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What was printed so far, with the ends of the logs: for messages of failures."""
        logs = sorted((self.data / "logs").glob("*.log"))
        tails = [f"--- {self.name} {log.name}\n{log.read_text(errors='replace')[-2500:]}" for log in logs]
        return "\n".join([f"--- {self.name}", self.printed.read_text(errors="replace")[-3000:], *tails])

    def cut(self) -> None:
        """Pull the cable."""
        ip("link", "set", self.cable, "down", netns=self.network.hub)

    def mend(self) -> None:
        """Plug it in again."""
        ip("link", "set", self.cable, "up", netns=self.network.hub)

    def ended(self, seconds: float) -> int | None:
        """The exit code of what was started, None while it runs after so long."""
        if self.process is None:
            return 0
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def stop(self) -> None:
        """Ctrl-C, and force after a while."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            if self.ended(STOP_SECONDS) is None:
                self.process.kill()
                self.process.wait(10)

    def end_everything(self) -> None:
        """Kill whatever still runs in the namespace."""
        listed = subprocess.run(["ip", "netns", "pids", self.netns], capture_output=True, text=True, check=False)
        for pid in listed.stdout.split():
            with suppress(psutil.NoSuchProcess):
                psutil.Process(int(pid)).kill()

    def processes_of(self, workload_key: str) -> list[int]:
        """Ids of the processes on this machine that work in the folder of a workload."""
        folder = str(self.data / "workloads" / workload_key)
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if any(folder in word for word in [process.cwd(), *process.cmdline()]):
                    found.append(process.pid)
        return found

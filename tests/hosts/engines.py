"""A container engine of a machine's own: its network is that machine's, its images lie in memory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.engine import BASE_IMAGE, require_engine
from tests.hosts.namespaces import Machine

START_SECONDS = 60
# With a /sys of the machine's network and the control groups of this one; PID 1 takes everything along when it ends.
BOX = """
hostname "$1"; shift
mount --make-rprivate /
mkdir -p /run/mw-cgroups && mount --rbind /sys/fs/cgroup /run/mw-cgroups
mount -t sysfs sysfs /sys && mount --move /run/mw-cgroups /sys/fs/cgroup
mkdir -p /run/docker && mount -t tmpfs tmpfs /run/docker
mount --make-rshared /
"$@" & wait $!
"""


class Engine:
    """A running dockerd with the base image. Skips the test, saying why, where there can be none."""

    def __init__(self, machine: Machine) -> None:
        require_engine()
        self.name = machine.netns
        self.folder = Path(tempfile.mkdtemp(prefix="mwh-", dir="/dev/shm"))
        self.address = f"unix://{self.folder}/docker.sock"
        options = [
            *("-H", self.address, "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "docker.pid"), "--cgroup-parent", f"/{self.name}", "--bridge", "none"),
            *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        ]
        box = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", BOX]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{machine.netns}", *box, "box", machine.name, "dockerd", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()
        self._load()

    def containers(self) -> list[str]:
        """Names of the running ones."""
        return self._docker("ps", "--format", "{{.Names}}").split()

    def kill(self) -> None:
        """End it with all containers, at once."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with suppress(OSError, ValueError):
            for child in children.read_text().split():
                os.kill(int(child), signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()

    def close(self) -> None:
        """End it with all containers, and leave nothing behind."""
        self.kill()
        for group in [Path("/sys/fs/cgroup", self.name), *Path("/sys/fs/cgroup").glob(f"*/{self.name}")]:
            subprocess.run(
                ["find", str(group), "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], capture_output=True
            )
        shutil.rmtree(self.folder, ignore_errors=True)

    def _docker(self, *words: str) -> str:
        done = subprocess.run(["docker", "-H", self.address, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(["docker", "-H", self.address, "version"], capture_output=True).returncode:
            log = (self.folder / "log").read_text(errors="replace")[-3000:]
            assert self.process.poll() is None, f"dockerd ended:\n{log}"
            assert time.monotonic() < deadline, f"dockerd does not answer:\n{log}"
            time.sleep(0.2)

    def _load(self) -> None:
        here = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
        with subprocess.Popen(["docker", "save", BASE_IMAGE], stdout=subprocess.PIPE, env=here) as saved:
            command = ["docker", "-H", self.address, "load", "-q"]
            done = subprocess.run(command, stdin=saved.stdout, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

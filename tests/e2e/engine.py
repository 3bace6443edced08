"""A container engine of a test's own, so that it can be killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.e2e.stack import wait_for
from tests.engine import BASE_IMAGE

# Containers of these tests have no network, and the rules of the machine's firewall are none of its business.
OPTIONS = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")


class Engine:
    """`dockerd` below `folder`, whose path has to be short. Needs root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; one that ends at once is started again, as an init system would."""
        self.folder.mkdir(exist_ok=True)
        wait_for("the engine", self._started, 120, self.last_lines)

    def kill(self) -> None:
        """`kill -9`. Its containers go on without it, until the next one finds them."""
        family = [self.process.pid] if self.process and self.process.poll() is None else []
        with suppress(OSError, ValueError):
            family.append(int((self.folder / "x" / "containerd" / "containerd.pid").read_text()))
        for pid in family:
            with suppress(psutil.Error):
                helper = psutil.Process(pid)
                if helper.name() in ("dockerd", "containerd"):
                    helper.kill()
                    helper.wait(20)
        if self.process is not None:
            self.process.wait(20)

    def docker(self, *arguments: str) -> str:
        """The command line's answer."""
        command = ["docker", "-H", self.address, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def containers(self) -> list[str]:
        """Names of all containers, whatever their state."""
        return [json.loads(line)["Names"] for line in self.docker("ps", "-a", "--format", "{{json .}}").splitlines()]

    def load(self, image: str = BASE_IMAGE) -> None:
        """Copy an image of the machine's own engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(["docker", "-H", self.address, "load", "-q"], stdin=saved.stdout, check=True, timeout=300)

    def stop(self) -> None:
        """End it with all its containers, and remove what it kept."""
        with suppress(subprocess.SubprocessError, AssertionError):
            if names := self.containers():
                self.docker("rm", "-f", *names)
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        self.kill()
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.folder) in word for word in process.info["cmdline"] or []):
                with suppress(psutil.Error):
                    process.kill()  # A container's helper that an engine lost sight of when it was killed.
        # One that was killed has left its own folder mounted on itself.
        subprocess.run(["umount", "-R", str(self.folder / "data")], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_lines(self) -> str:
        """The end of its log."""
        log = self.folder / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def _started(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            places = ["--data-root", "data", "--exec-root", "x", "--pidfile", "pid"]
            placed = [str(self.folder / part) if not part.startswith("-") else part for part in places]
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    # In a network of its own: without a bridge it would take the machine's docker0 away from all.
                    ["unshare", "--net", "dockerd", *placed, "--host", self.address, *OPTIONS],
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    env={**os.environ},
                )
        asked = subprocess.run(["docker", "-H", self.address, "version"], capture_output=True, check=False, timeout=60)
        if asked.returncode:
            time.sleep(0.2)
        return asked.returncode == 0

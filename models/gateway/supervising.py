"""`--processes N`: N gateways that share one port, and what keeps them running.

The kernel spreads connections over all sockets that listen with SO_REUSEPORT. This process holds the port without
listening, starts the others, starts again what ends, and passes SIGTERM on. When it ends, however it ends, the others
notice at the closed pipe that is their standard input, and drain.
"""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from models.gateway.siblings import bury

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
SETTLED_SECONDS = 10.0
PORT_SECONDS = 3.0
# What a process says when starting it again would not help.
HOPELESS = frozenset({2, 4, 5})


class Child:
    """One of the processes: `slot` is its number, which it keeps over restarts."""

    def __init__(self, slot: int, command: Sequence[str], directory: Path) -> None:
        self.slot = slot
        self._command = command
        self._directory = directory
        self._delay = FIRST_DELAY
        self._start_at = 0.0
        self._started = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def look(self, now: float) -> int | None:
        """Start it when it is time. Its exit code when it has just ended."""
        if self._process is None:
            if now >= self._start_at:
                self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
                self._started = now
            return None
        code = self._process.poll()
        if code is None:
            return None
        self._forget()
        self._delay = FIRST_DELAY if now - self._started > SETTLED_SECONDS else min(self._delay * 2, LONGEST_DELAY)
        self._start_at = now + self._delay
        logger.warning("process %d ended with %d; it starts again in %.1f s", self.slot, code, self._delay)
        return code

    def stop(self) -> None:
        """Let it drain."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, deadline: float) -> None:
        """Until it has ended; it is killed at `deadline`."""
        if self._process is None:
            return
        try:
            self._process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            logger.error("process %d did not drain in time and is killed", self.slot)
            self._process.kill()
            self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        bury(self._directory, self.slot)


def supervise(arguments: Sequence[str], count: int, *, listen: tuple[str, int], name: str, drain_seconds: float) -> int:
    """Run `count` gateways with these arguments until SIGTERM. 0 after a drain, else the code of one that cannot run.

    Raises OSError when the address cannot be had.
    """
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked.append(number))
    directory = Path(tempfile.mkdtemp(prefix="modelwright-gateway-"))
    try:
        with reserve(*listen) as port:
            host = listen[0]
            address = f"[{host}]" if ":" in host else host
            children = []
            for slot in range(count):
                command = [sys.executable, "-m", "models.gateway", *arguments, "--processes", "1"]
                command += ["--listen", f"{address}:{port.getsockname()[1]}", "--gateway-id", f"{name}.{slot}"]
                command += ["--siblings", str(directory), "--slot", str(slot)]
                children.append(Child(slot, command, directory))
            return _run(children, asked, drain_seconds)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(children: list[Child], asked: list[int], drain_seconds: float) -> int:
    hopeless = 0
    while not asked and not hopeless:
        now = time.monotonic()
        ends = [child.look(now) for child in children]
        hopeless = next((code for code in ends if code in HOPELESS), 0) or 0
        time.sleep(LOOK_SECONDS)
    for child in children:
        child.stop()
    deadline = time.monotonic() + drain_seconds
    for child in children:
        child.wait(deadline)
    return hopeless


def reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps the port for processes of this user that share it. Raises OSError when others listen there.

    Those that a killed supervisor left behind are given a moment to drain.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    deadline = time.monotonic() + PORT_SECONDS
    while port:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
                probe.listen(1)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(0.1)
    held = socket.socket(family, kind, protocol)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except OSError:
        held.close()
        raise
    return held

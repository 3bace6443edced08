"""A host of containers for sessions: a keeper, and an image with JupyterLab that is made once and kept."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as present

from modelwright.compute.announcing import announce_host
from modelwright.compute.copies import enter_copy
from modelwright.compute.environments.build import lock_digest
from modelwright.compute.images.builder import ImageBuilder
from modelwright.compute.images.order import BuildOrder, BuildPhase
from modelwright.compute.layout import IMAGE_ENVIRONMENTS
from modelwright.compute.models import Environment
from modelwright.compute.services import DEFAULT_PYTHON
from modelwright.compute.watcher import this_host
from sessions import lab
from tests.compute.kinds import KeeperKind
from tests.sessions.labs import REQUIREMENTS, enter_request

# Not that of one run of the tests: what it makes stays for the next.
INSTANCE = "modelwright-test-lab"
BUILD_SECONDS = 540
ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


@dataclass(frozen=True)
class LabImage:
    """The image of an environment, its lock and its name."""

    lock: str
    image: str

    @property
    def digest(self) -> str:
        return lock_digest(self.lock, DEFAULT_PYTHON)


@functools.cache
def lab_image() -> LabImage:
    """What the keeper makes of `REQUIREMENTS` and JupyterLab; making it takes some minutes the first time."""
    wanted = _requirements()
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"modelwright-test-lab-image-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lock = _lock(folder, wanted)
        path = IMAGE_ENVIRONMENTS / lock_digest(lock, DEFAULT_PYTHON)
        builder = ImageBuilder(folder / "images", instance=INSTANCE)
        order = BuildOrder(lock, DEFAULT_PYTHON, str(path), attempt=str(os.getpid()))
        deadline = time.monotonic() + BUILD_SECONDS
        while (state := builder.ensure(order)).phase is BuildPhase.BUILDING:
            assert time.monotonic() < deadline, "the image of JupyterLab was not made in time"
            time.sleep(0.5)
    assert state.phase is BuildPhase.READY, (state.error, state.remedy)
    return LabImage(lock, state.image)


def _requirements() -> str:
    return REQUIREMENTS + "".join(f"{line}\n" for line in lab.ADDITIONS)


def _lock(folder: Path, wanted: str) -> str:
    file = folder / "lock.txt"
    if not file.exists():
        (folder / "requirements.txt").write_text(wanted)
        command = ["uv", "pip", "compile", "requirements.txt", "--python-version", DEFAULT_PYTHON, "--generate-hashes"]
        command += ["--no-header", "--no-annotate", "--quiet"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=280)
        file.write_text(done.stdout.strip() + "\n")
    return file.read_text()


@contextmanager
def container_host(settings: Any, web: str, *options: str) -> Iterator[KeeperKind]:
    """This host with containers, as `up` starts its keeper: they reach the pages at `web`, and nothing else."""
    data = Path(present.DATA_DIR)
    place = urlsplit(web).netloc
    kind = KeeperKind(
        "keeper",
        data,
        *("--readable", str(present.MODELWRIGHT_RUNTIME_SOURCE), "--writable", str(present.SOCKETS_DIR)),
        *("--relay", place, *options),
    )
    settings.BACKEND, settings.KEEPER_SOCKET = "docker", kind.parameters["socket"]
    try:
        announce_host()
        yield kind
    finally:
        kind.close()


def ready_image(requirements: str | None = None) -> Environment:
    """The environment of `REQUIREMENTS` and JupyterLab, ready on this host, for them or for other requirements."""
    made = lab_image()
    text = _requirements() if requirements is None else requirements
    environment, _ = Environment.objects.get_or_create(
        lock_digest=made.digest, defaults={"lock": made.lock, "python_version": DEFAULT_PYTHON}
    )
    enter_copy(environment, this_host(), image=made.image)
    enter_request(environment, text)
    return environment


class Way:
    """A way to the engine that can be cut, as when the engine goes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Nobody gets through any more."""
        self.path.unlink()
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(ENGINE)
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=partial(_copy, *pair), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

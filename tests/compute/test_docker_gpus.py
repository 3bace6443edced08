"""GPUs that are reserved by index become devices of a container, on an engine whose GPU hook plays two of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwright.compute.backends.base import BackendError, Cause
from modelwright.compute.backends.docker import DockerBackend, DockerConfig
from tests import engine

from .backends_support import script, wait_for_end, wait_until
from .kinds import DockerInTests

FAKE = engine.SCRIPTS / "fake-gpu"
INSTANCE = f"{engine.INSTANCE}-gpu"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """An engine of the tests' own, in a network of its own, with two GPUs that are played."""
    engine.require_engine().close()
    if os.geteuid() != 0 or not FAKE.exists() or shutil.which("dockerd") is None:
        pytest.skip(f"NO GPU CAN BE PLAYED: this needs root, dockerd and {FAKE}")
    folder = Path(tempfile.mkdtemp(prefix="mwg-", dir="/tmp"))
    socket = f"unix://{folder}/s"
    places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/x", "--pidfile", f"{folder}/pid"]
    alone = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "dockerd", "--host", socket, *places, *alone],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{FAKE}:{os.environ['PATH']}", "FAKE_GPUS": "2"},
        )
    try:
        wait_until(lambda: docker(socket, "version").returncode == 0, what=f"the engine, see {folder}/log")
        with subprocess.Popen(["docker", "save", engine.BASE_IMAGE], stdout=subprocess.PIPE) as saved:
            subprocess.run(["docker", "-H", socket, "load", "-q"], stdin=saved.stdout, check=True, timeout=300)
        yield socket
    finally:
        process.terminate()
        process.wait(60)
        subprocess.run(["umount", "-R", f"{folder}/data"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def docker(address: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["docker", "-H", address, *arguments], capture_output=True, check=False, timeout=60)


@pytest.fixture
def backend(address: str, tmp_path: Path) -> Iterator[DockerBackend]:
    made = DockerInTests(DockerConfig(root=tmp_path / "w", instance=INSTANCE, engine=address))
    yield made
    wait_until(lambda: not docker(address, "ps", "-aq").stdout, what="the removal of its containers")
    made.close()


LOOK = "import glob; print(sorted(glob.glob('/dev/nvidia[0-9]')))"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpus", "seen"), [([], []), ([1], ["/dev/nvidia1"]), ([0, 1], ["/dev/nvidia0", "/dev/nvidia1"])]
)
def test_a_container_has_the_gpus_that_were_reserved_for_it(
    backend: DockerBackend, gpus: list[int], seen: list[str]
) -> None:
    spec = script(LOOK, gpus=gpus)
    backend.start(spec)
    status = wait_for_end(backend, spec.key)
    log = backend.log_path(spec.key).read_text()
    assert status.cause is Cause.SUCCEEDED, log
    assert log == f"{seen}\n"


@pytest.mark.slow
def test_a_gpu_that_is_gone_is_a_start_that_failed_and_leaves_nothing(backend: DockerBackend) -> None:
    with pytest.raises(BackendError, match="unknown device"):
        backend.start(script(LOOK, gpus=[7]))

"""The keeper: who may ask it, what can be said to it, and what happens when it dies. And images through it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelwright.compute.backends.base import BackendError, Cause, Limits, UnavailableError, WorkloadSpec
from modelwright.compute.backends.container_host import ContainerHost
from modelwright.compute.backends.factory import make_backend
from modelwright.compute.backends.keeper import KeeperBackend, codec
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.images import recipe
from modelwright.compute.images.order import BuildOrder, BuildPhase, BuildState, LockOrder

from .backends_support import new_key, script, wait_for_end, wait_until
from .kinds import KeeperKind

SLEEP = "import time; print('ready', flush=True); time.sleep(600)"
BUILD_SECONDS = 240
IDNA = """idna==3.10 \\
    --hash=sha256:12f65c9b470abda6dc35cf8e63cc574b1c52b11df2c86030af0ac09b01b13ea9 \\
    --hash=sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3
"""


@pytest.fixture
def kind(tmp_path: Path) -> Iterator[KeeperKind]:
    made = KeeperKind("keeper", tmp_path)
    yield made
    made.close()


@pytest.fixture
def backend(kind: KeeperKind) -> KeeperBackend:
    made = kind.again()
    assert isinstance(made, KeeperBackend)
    return made


def ask(kind: KeeperKind, message: object) -> dict[str, Any]:
    """What the keeper answers to a message of any form."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect(kind.parameters["socket"])
        codec.send(connection, message)  # type: ignore[arg-type]
        return codec.receive(connection)


@pytest.mark.parametrize(
    "change",
    [
        {"privileged": True},
        {"command": "sh -c evil"},
        {"command": []},
        {"environment": {"A": 1}},
        {"limits": {"memory_bytes": -1}},
        {"limits": {"cpu": "all"}},
        {"limits": {"cap_add": ["ALL"]}},
        {"key": {"workload_id": "../../etc", "fence": 1}},
        {"key": {"workload_id": "0" * 8, "fence": True}},
        {"source": {"path": "relative", "sha256": "0" * 64}},
        {"source": {"path": "/a.tar", "sha256": "0"}},
        {"image": "bad image; rm"},
        {"kind": "Not A Kind"},
        {"readable": "/etc"},
        {"directory": "a\0b"},
    ],
)
def test_what_is_no_spec_is_refused(change: dict[str, Any]) -> None:
    spec = codec.spec_to_json(script("pass"))
    assert codec.spec_from_json(spec)
    with pytest.raises(codec.RefusedError):
        codec.spec_from_json({**spec, **change})


def test_what_is_no_question_is_refused_and_the_keeper_lives_on(kind: KeeperKind) -> None:
    bad_spec = {**codec.spec_to_json(script("pass")), "privileged": True}
    wrong: list[object] = [{}, [], {"method": "exec"}, {"method": "__init__"}, {"method": "list", "all": True}]
    for message in [*wrong, {"method": ["list"]}, {"method": "start", "spec": bad_spec}]:
        assert "error" in ask(kind, message)
    assert kind.answers()
    assert kind.names() == []


def test_specs_and_statuses_come_through_whole() -> None:
    spec = replace(
        script("pass", limits=Limits(cpu=0.5, cpu_hard=True, memory_bytes=1, timeout_seconds=None)),
        files={"a/b": "ü"},
        readable=["/opt/x"],
        writable=["/opt/y"],
        gpus=[1, 0],
        image="python:3.11-slim",
        kind="replica",
    )
    assert codec.spec_from_json(json.loads(json.dumps(codec.spec_to_json(spec)))) == spec


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: another user cannot be played")
def test_a_user_who_is_not_named_is_turned_away(kind: KeeperKind) -> None:
    os.chmod(kind.parameters["socket"], 0o666)
    for folder in Path(kind.parameters["socket"]).parents:
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o011)
    text = (
        "import os, socket, sys\n"
        "os.setuid(10001)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        's.sendall(b\'\\0\\0\\0\\x12{"method": "list"}\')\n'
        "print(s.recv(1000)[4:].decode())"
    )
    command = [sys.executable, "-I", "-S", "-c", text, kind.parameters["socket"]]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert "10001 may not ask" in answer["error"]["message"]


def test_a_workload_outlives_a_killed_keeper_and_the_next_one_goes_on(kind: KeeperKind, backend: KeeperBackend) -> None:
    spec = script(
        "import time\nfor i in range(100):\n    print(i, flush=True)\n    time.sleep(0.05)\nraise SystemExit(4)"
    )
    backend.start(spec)
    wait_until(lambda: backend.log_path(spec.key).exists(), what="its log")
    kind.kill_keeper()
    with pytest.raises(UnavailableError, match="keeper"):
        backend.status(spec.key)
    kind.start_keeper()
    status = wait_for_end(backend, spec.key)
    assert (status.cause, status.exit_code) == (Cause.FAILED, 4)
    assert backend.log_path(spec.key).read_text() == "".join(f"{i}\n" for i in range(100))


def test_a_container_reaches_the_platform_again_after_a_restart_of_the_keeper(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        port = server.getsockname()[1]
        kind = KeeperKind("keeper", tmp_path, "--relay", f"127.0.0.1:{port}")
        try:
            backend = kind.again()
            spec = script(CALL, str(port))
            for i in range(2):
                if i:
                    kind.kill_keeper()
                    kind.start_keeper()
                backend.start(spec)
                (backend.work_folder(spec.key) / f"go{i}").touch()
                connection, _ = server.accept()
                assert connection.recv(10) == f"call {i}".encode()
                connection.close()
            assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED
        finally:
            kind.close()


CALL = """
import os, socket, sys, time
for i in range(2):
    while not os.path.exists(f"go{i}"):
        time.sleep(0.05)
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60)
    connection.sendall(f"call {i}".encode())
    connection.recv(1)
"""


def test_a_time_limit_that_passes_while_no_keeper_lives_is_kept_by_the_next_one(
    kind: KeeperKind, backend: KeeperBackend
) -> None:
    spec = script(SLEEP, limits=Limits(timeout_seconds=2, grace_seconds=0))
    backend.start(spec)
    kind.kill_keeper()
    time.sleep(2.5)
    kind.start_keeper()
    assert wait_for_end(backend, spec.key).cause is Cause.TIMED_OUT


NAMES = ("process", "docker", "swarm")


def test_the_factory_makes_what_a_host_was_set_up_with(tmp_path: Path) -> None:
    made = [make_backend(name, root=tmp_path, keeper_socket=tmp_path / "k.sock") for name in NAMES]
    assert [type(one) for one in made] == [ProcessBackend, ContainerHost, ContainerHost]
    with pytest.raises(ValueError, match="choose process, docker or swarm"):
        make_backend("podman", root=tmp_path, keeper_socket=tmp_path)


def built(backend: KeeperBackend, order: BuildOrder) -> BuildState:
    def is_over() -> bool:
        return backend.build_image(order).phase is not BuildPhase.BUILDING

    wait_until(is_over, what="the image", seconds=BUILD_SECONDS)
    return backend.build_image(order)


@pytest.mark.slow
def test_a_lock_becomes_an_image_once_and_its_environment_runs_at_its_path(
    kind: KeeperKind, backend: KeeperBackend
) -> None:
    # The path is unique to this test: an image of the same content may be in use by another session.
    order = BuildOrder(lock=IDNA, python="3.11", path=f"/opt/{kind.parameters['instance']}/environment", attempt="1")
    first = built(backend, order)
    assert first.phase is BuildPhase.READY, Path(first.log).read_text()
    assert not first.reused
    assert first.seconds > 0
    log = Path(first.log).read_text()
    assert "idna" in log
    again = backend.build_image(replace(order, attempt="2"))
    assert (again.phase, again.reused, again.image) == (BuildPhase.READY, True, first.image)
    text = "import idna, sys; print(idna.__version__, sys.prefix)"
    spec = WorkloadSpec(new_key(), [f"{order.path}/bin/python", "-c", text], {"PATH": "/usr/bin"}, image=first.image)
    backend.start(spec)
    wait_for_end(backend, spec.key)
    assert backend.log_path(spec.key).read_text() == f"3.10 {order.path}\n"
    backend.remove(spec.key)
    wait_until(lambda: not kind.names(), what="the removal of the container")
    for _ in range(2):
        backend.remove_image(first.image)
    assert first.image not in [tag for image in kind.client.images.list() for tag in image.tags]
    with pytest.raises(BackendError, match="not an image of an environment"):
        backend.remove_image("python:3.11-slim")


@pytest.mark.slow
def test_a_lock_that_cannot_be_installed_says_why_and_is_tried_again_when_asked(
    kind: KeeperKind, backend: KeeperBackend
) -> None:
    wrong = IDNA.replace("12f65c9b", "00000000").replace("946d195a", "00000000")
    order = BuildOrder(lock=wrong, python="3.11", path=f"/opt/{kind.parameters['instance']}/environment", attempt="1")
    failed = built(backend, order)
    assert failed.phase is BuildPhase.FAILED
    assert "hash" in failed.error.lower()
    assert "differs from the locked one" in failed.remedy
    assert Path(failed.log).read_text()
    again = replace(order, attempt="2")
    assert backend.build_image(again).phase is BuildPhase.BUILDING
    assert built(backend, again).phase is BuildPhase.FAILED


def test_an_environment_with_jupyterlab_has_git_and_no_other() -> None:
    plain = BuildOrder(lock=IDNA, python="3.11", path="/opt/x")
    # What merely begins with the name, or asks for it in another way, is no lock of it.
    other = replace(plain, lock=f"{IDNA}jupyterlab-server==2.28.0 \\\n    --hash=sha256:0\n")
    lab = replace(plain, lock=f"{IDNA}jupyterlab==4.6.6 \\\n    --hash=sha256:0\n")
    assert [order.needs_git for order in (plain, other, lab)] == [False, False, True]
    assert len({order.image("base") for order in (plain, other, lab)}) == 3


def test_a_base_without_git_that_could_not_be_fetched_says_what_to_do() -> None:
    said = f"The command '/bin/sh -c {recipe.GIT}' returned a non-zero code: 100"
    assert "base image that has Git" in recipe.remedy(said)


@pytest.mark.slow
def test_what_is_added_to_a_project_is_resolved_together_with_it(kind: KeeperKind, backend: KeeperBackend) -> None:
    project = '[project]\nname = "p"\nversion = "1"\ndependencies = ["idna==3.10"]\n'
    order = LockOrder(project, "pyproject.toml", "3.11", attempt="1", additions="six==1.17.0\n")
    wait_until(lambda: backend.resolve(order).phase is not BuildPhase.BUILDING, what="the lock", seconds=BUILD_SECONDS)
    state = backend.resolve(order)
    assert state.phase is BuildPhase.READY, Path(state.log).read_text()
    assert [line.split()[0] for line in state.lock.splitlines() if "==" in line] == ["idna==3.10", "six==1.17.0"]


@pytest.mark.parametrize(
    "wrong",
    [{"python": "3.11; rm"}, {"path": "/tmp/x"}, {"path": "/a b"}, {"path": "/a\nRUN evil"}, {"attempt": "../x"}],
)
def test_an_order_that_could_say_more_than_a_lock_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(BackendError):
        BuildOrder(**{"lock": IDNA, "python": "3.11", "path": "/opt/x", **wrong})

"""The model server on the network: it answers those who know its token, and nobody else."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelwright_runtime.handshake import HandshakeError, introduce, replica_token
from modelwright_runtime.server import frames

from tests.gateway import environment
from tests.gateway.processes import Process

pytestmark = pytest.mark.slow
TOKEN, NAME = "the installation's token", "0190-1"


def command(*options: str) -> list[str]:
    base = [environment.python(), "-m", "modelwright_runtime.server", "--model", str(environment.model("one"))]
    return [*base, "--version-id", "one", *options]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a model server that listens on the network alone."""
    variables = {
        "PYTHONPATH": str(environment.RUNTIME),
        "MODELWRIGHT_WORKLOAD": NAME,
        "MODELWRIGHT_REPLICA_TOKEN": replica_token(TOKEN, NAME),
    }
    log = tmp_path_factory.mktemp("network") / "log"
    server = Process(command("--listen", "127.0.0.1:0"), log, before=None, **variables)
    yield int(server.wait_for_line(r"listening on port (\d+)")[1])
    assert server.stop(signal.SIGTERM) == 0


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(60)
    return connection


def test_it_answers_after_the_handshake(port: int) -> None:
    with connect(port) as connection:
        assert introduce(connection, TOKEN, NAME) == b""
        connection.sendall(frames.pack(1, frames.PING, b"{}"))
        (frame,) = frames.FrameReader().feed(connection.recv(65536))
    assert json.loads(frame.payload)["version_id"] == "one"


@pytest.mark.parametrize(("token", "name"), [("another", NAME), (TOKEN, "0190-2")])
def test_another_token_or_name_is_turned_away(port: int, token: str, name: str) -> None:
    with connect(port) as connection:
        with pytest.raises(HandshakeError, match="token"):
            introduce(connection, token, name)
        assert connection.recv(1) == b""


def test_frames_without_a_handshake_are_not_read(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(frames.pack(1, frames.PING, b"{}") * 20)
        received = b""
        while data := connection.recv(65536):
            received += data
    assert len(received) == 37  # the greeting and one byte of refusal


def test_without_a_token_it_does_not_listen_at_all(tmp_path: Path) -> None:
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(environment.RUNTIME)}
    done = subprocess.run(
        command("--listen", "127.0.0.1:0"), env=variables, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 4
    assert "MODELWRIGHT_REPLICA_TOKEN" in done.stderr

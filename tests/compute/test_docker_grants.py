"""What a host may grant a container besides its working folder: a folder of its own, GPUs, ways to the platform."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from modelwright.compute.backends.base import Cause, Limits, SourceError
from modelwright.compute.backends.docker import DockerBackend, DockerConfig, Relay, options
from modelwright.compute.backends.process import ProcessBackend

from .backends_support import new_key, script, wait_for_end, wait_until
from .kinds import DockerInTests, DockerKind


@pytest.fixture
def kind(tmp_path: Path) -> Iterator[DockerKind]:
    made = DockerKind("docker", tmp_path)
    yield made
    made.close()


def make(kind: DockerKind, **changes: object) -> DockerBackend:
    config = DockerConfig(root=Path(kind.parameters["root"]), instance=kind.parameters["instance"])
    made = DockerInTests(replace(config, **changes))  # type: ignore[arg-type]
    kind.adopt(made)
    return made


LISTENS = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print(sorted(os.listdir(os.path.dirname(os.path.dirname(sys.argv[1])))), flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"here")
    connection.close()
"""


def test_a_socket_in_the_folder_of_its_own_is_reached_from_outside_and_goes_with_it(
    kind: DockerKind, short_path: Path
) -> None:
    sockets = short_path
    (sockets / "somebody-else").mkdir()
    backend = make(kind, writable=[sockets])
    key = new_key()
    path = sockets / key.name / "s"
    backend.start(script(LISTENS, str(path), key=key, writable=[str(path.parent)]))
    wait_until(path.exists, what="the socket")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert client.recv(10) == b"here"
    wait_until(lambda: backend.log_path(key).read_text(), what="its log")
    assert backend.log_path(key).read_text() == f"['{key.name}']\n"
    backend.stop(key)
    wait_for_end(backend, key)
    backend.remove(key)
    assert not path.parent.exists()


def test_the_folder_of_its_own_is_no_place_to_fill(kind: DockerKind, short_path: Path) -> None:
    backend = make(kind, writable=[short_path], work_bytes=20 * 2**20)
    key = new_key()
    folder = short_path / key.name
    text = (
        "import sys, time\nfor i in range(30): open(f'{sys.argv[1]}/{i}', 'wb').write(bytes(1 << 20))\ntime.sleep(600)"
    )
    backend.start(script(text, str(folder), key=key, writable=[str(folder)], limits=Limits(grace_seconds=0)))
    status = wait_for_end(backend, key)
    assert status.cause is Cause.FAILED
    assert "this host allows 0.02 GiB" in status.message


@pytest.mark.parametrize("wrong", ["{sockets}", "{sockets}/other-1", "/etc", "{sockets}/{key}/.."])
def test_any_other_folder_to_write_into_is_refused(kind: DockerKind, tmp_path: Path, wrong: str) -> None:
    key = new_key()
    name = wrong.replace("{sockets}", str(tmp_path)).replace("{key}", key.name)
    with pytest.raises(SourceError, match="may not be written"):
        make(kind, writable=[tmp_path]).start(script("pass", key=key, writable=[name]))


def test_gpus_are_asked_for_by_index_and_none_are_given_without(kind: DockerKind, tmp_path: Path) -> None:
    """What reaches the engine; whether devices then appear is the engine's and its runtime's."""
    api, config = kind.client.api, DockerConfig(root=tmp_path, instance=kind.parameters["instance"])
    wanted = options.create_options(api, config, script("pass", gpus=[1, 3]), tmp_path / "entry", None)
    assert wanted["host_config"]["DeviceRequests"] == [
        {
            "Driver": "nvidia",
            "Count": 0,
            "DeviceIDs": ["1", "3"],
            "Capabilities": [["gpu", "compute", "utility"]],
            "Options": {},
        }
    ]
    backend = make(kind)
    spec = script("import time; time.sleep(600)")
    backend.start(spec)
    host_config = kind.container(spec.key).attrs["HostConfig"]
    assert not host_config["DeviceRequests"]
    assert not host_config["Devices"]


@pytest.mark.parametrize(("gpus", "seen"), [([2, 0], "2,0"), ([], "")])
def test_a_process_is_shown_its_own_gpus_and_no_others(tmp_path: Path, gpus: list[int], seen: str) -> None:
    backend = ProcessBackend(tmp_path)
    text = "import os; print(os.environ['CUDA_DEVICE_ORDER'], repr(os.environ['CUDA_VISIBLE_DEVICES']))"
    spec = script(text, gpus=gpus, environment={"CUDA_VISIBLE_DEVICES": "0,1,2,3", "CUDA_DEVICE_ORDER": "x"})
    backend.start(spec)
    wait_for_end(backend, spec.key)
    assert backend.log_path(spec.key).read_text() == f"PCI_BUS_ID '{seen}'\n"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_services_are_reached_by_the_names_that_they_have_outside(kind: DockerKind) -> None:
    servers = [HTTPServer(("127.0.0.1", 0), Answer) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    names = ["platform.example:80", "models.example:80"]
    ports = [server.server_port for server in servers]
    relays = [Relay.parse(f"{name}=127.0.0.1:{port}") for name, port in zip(names, ports, strict=True)]
    text = (
        "import sys, urllib.request\n"
        "for name in sys.argv[1:]:\n"
        "    print(urllib.request.urlopen(f'http://{name}/', timeout=30).read().decode())"
    )
    try:
        backend = make(kind, relays=relays)
        spec = script(text, *[name.partition(":")[0] for name in names])
        backend.start(spec)
        status = wait_for_end(backend, spec.key)
        log = backend.log_path(spec.key).read_text()
        assert status.cause is Cause.SUCCEEDED, log
        assert log.split() == ["platform.example", "models.example"]
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def test_relays_that_would_meet_are_refused(tmp_path: Path) -> None:
    relays = [Relay.parse(text) for text in ("127.0.0.1:80", "10.0.0.1:80")]
    with pytest.raises(ValueError, match="same port"):
        DockerConfig(root=tmp_path, instance="x", relays=relays)
    for wrong in ("80", ":80", "host", "host:0", "host:port", "host:80=x"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            Relay.parse(wrong)
    assert json.dumps(Relay.parse("a.example:443").target) == '["a.example", 443]'

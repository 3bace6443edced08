"""Code that tries to get out of its container, and what it meets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelwright.compute.backends.base import Cause, Limits, WorkloadSpec, WorkloadStatus
from modelwright.compute.backends.docker import DockerBackend, DockerConfig
from modelwright.compute.backends.docker.network import ClosedNetwork, Destination
from tests import engine

from .backends_support import new_key, script, wait_for_end, wait_until
from .kinds import DockerInTests, DockerKind, left_over

MIB = 1024 * 1024
METADATA = "169.254.169.254"


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


def run(backend: DockerBackend, spec: WorkloadSpec) -> tuple[WorkloadStatus, str]:
    backend.start(spec)
    return wait_for_end(backend, spec.key), backend.log_path(spec.key).read_text()


TRIES = """
import json, os, socket, sys
found = {}
def attempt(name, step):
    try:
        found[name] = str(step() or "ALLOWED")
    except Exception as error:
        found[name] = type(error).__name__
for path in json.loads(sys.argv[1]):
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path).read() or os.stat(path))
for place in json.loads(sys.argv[2]):
    attempt(f"{place[0]}:{place[1]}", lambda: socket.create_connection(place, timeout=3))
attempt("write to the root", lambda: open("/x", "w"))
attempt("become root", lambda: os.setuid(0))
attempt("mount", lambda: open("/proc/sys/kernel/hostname", "w"))
attempt("device", lambda: os.mknod("/tmp/d", 0o60600, os.makedev(254, 0)))
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
found["capabilities"] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapBnd")][0]
found["neighbours"] = [name for name in os.listdir(os.path.dirname(os.path.dirname(os.getcwd()))) if "-" in name]
print(json.dumps(found))
"""


def test_files_and_services_of_the_host_are_out_of_reach(kind: DockerKind, tmp_path: Path) -> None:
    backend = make(kind)
    other = script("import time; open('secret.txt', 'w').write('x'); time.sleep(600)")
    backend.start(other)
    neighbour = backend.work_folder(other.key)
    wait_until(lambda: (neighbour / "secret.txt").exists(), what="the other project's file")
    (tmp_path / "host.txt").write_text("of the host")
    paths = [str(neighbour / "secret.txt"), str(tmp_path / "host.txt"), "/var/run/docker.sock", "/run/docker.sock"]
    with listening() as port:
        places = [["127.0.0.1", port], ["172.17.0.1", port], [METADATA, 80], ["1.1.1.1", 53]]
        spec = script(TRIES, json.dumps(paths), json.dumps(places))
        status, log = run(backend, spec)
    assert status.cause is Cause.SUCCEEDED, log
    found = json.loads(log)
    assert int(found.pop("capabilities"), 16) == 0
    assert found.pop("neighbours") == [spec.key.name]
    assert "ALLOWED" not in found.values()
    assert [name for name, value in found.items() if not value.endswith("Error")] == []


def test_databases_of_the_platform_are_out_of_reach(kind: DockerKind) -> None:
    sockets = [value for name in ("DATABASE_URL", "REDIS_URL") for value in socket_paths(os.environ.get(name, ""))]
    assert sockets, "the tests' own PostgreSQL and Redis listen on sockets"
    status, log = run(make(kind), script(TRIES, json.dumps(sockets), "[]"))
    assert status.cause is Cause.SUCCEEDED, log
    assert {json.loads(log)[path] for path in sockets} == {"FileNotFoundError"}


def socket_paths(url: str) -> list[str]:
    """Folders and sockets that the address of a server names."""
    from urllib.parse import parse_qs, unquote, urlsplit

    parts = urlsplit(url)
    named = [*parse_qs(parts.query).get("host", []), unquote(parts.path), unquote(parts.hostname or "")]
    return [path for path in named if path.startswith("/") and Path(path).exists()]


class listening:
    """A service that listens on all addresses of this host, as a careless database does."""

    def __enter__(self) -> int:
        self.server = socket.create_server(("0.0.0.0", 0))
        threading.Thread(target=self.serve, daemon=True).start()
        return int(self.server.getsockname()[1])

    def serve(self) -> None:
        try:
            while True:
                connection, _ = self.server.accept()
                connection.sendall(b"secret")
                connection.close()
        except OSError:
            return

    def __exit__(self, *_: object) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


CONNECT = """
import socket, sys
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5)
        print("reached")
    except OSError:
        print("closed")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: rules of a firewall cannot be made")
def test_a_closed_network_leads_to_what_an_administrator_named_and_nowhere_else(kind: DockerKind) -> None:
    name = f"{engine.INSTANCE}-net"[:31]
    network = ClosedNetwork(name, instance=kind.parameters["instance"])
    try:
        with listening() as named, listening() as other:
            gateway = network.up(host_ports=[named], allow=[Destination.parse("192.0.2.7:443")])
            network.up(host_ports=[named], allow=[Destination.parse("192.0.2.7:443")])
            backend = make(kind, network=name)
            places = [f"{gateway}:{named}", f"{gateway}:{other}", f"172.17.0.1:{other}", f"{METADATA}:80", "1.1.1.1:53"]
            status, log = run(backend, script(CONNECT, *places))
        assert status.cause is Cause.SUCCEEDED, log
        assert log.split() == ["reached", "closed", "closed", "closed", "closed"]
        assert rules(name) == 7
    finally:
        wait_until(lambda: not kind.names(), what="the removal of the container")
        network.down()
    assert rules(name) == 0


def rules(name: str) -> int:
    listed = subprocess.run(["iptables", "-w", "-S"], capture_output=True, text=True, check=True).stdout
    return listed.count(f"modelwright-network:{name}")


def test_a_fork_bomb_is_bounded_and_ends_in_time(kind: DockerKind) -> None:
    text = (
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    while True:\n"
        "        if os.fork() == 0: time.sleep(600)\n"
        "        made += 1\n"
        "except OSError: print(made, flush=True)\n"
        "time.sleep(600)"
    )
    limits = Limits(processes=40, memory_bytes=512 * MIB, timeout_seconds=3, grace_seconds=0.5)
    spec = script(text, limits=limits)
    status, log = run(make(kind), spec)
    assert status.cause is Cause.TIMED_OUT
    assert 0 < int(log) < 40
    assert left_over(spec.key) == []


def test_one_large_file_is_bounded_by_the_kernel(kind: DockerKind) -> None:
    text = (
        "size = 0\n"
        "try:\n"
        "    with open('big', 'wb', buffering=0) as stream:\n"
        "        while True: size += stream.write(bytes(1 << 20))\n"
        "except OSError as error: print(size >> 20, error.errno)"
    )
    status, log = run(make(kind, work_bytes=20 * MIB), script(text))
    assert (status.cause, log) == (Cause.SUCCEEDED, "20 27\n")


def test_many_files_are_bounded_by_looking(kind: DockerKind) -> None:
    text = "import time\nfor i in range(10_000):\n    open(str(i), 'wb').write(bytes(1 << 20))\n    time.sleep(0.05)"
    status, _ = run(make(kind, work_bytes=20 * MIB), script(text, limits=Limits(grace_seconds=0)))
    assert status.cause is Cause.FAILED
    assert "working folder" in status.message
    assert "0.02 GiB" in status.message


def test_the_record_of_the_end_is_no_place_to_fill(kind: DockerKind) -> None:
    text = (
        "import time\n"
        "with open('/run/modelwright/ending.json', 'wb', buffering=0) as stream:\n"
        "    for _ in range(19): stream.write(b'[' * (1 << 20))\n"
        "open('more', 'wb').write(bytes(5 << 20))\n"
        "time.sleep(600)"
    )
    status, _ = run(make(kind, work_bytes=20 * MIB), script(text, limits=Limits(grace_seconds=0)))
    assert status.cause is Cause.FAILED
    assert "working folder" in status.message


def test_what_is_no_working_folder_is_small(kind: DockerKind) -> None:
    text = (
        "import os\n"
        "for place in ('/tmp/x', '/dev/shm/x'):\n"
        "    size = 0\n"
        "    try:\n"
        "        with open(place, 'wb', buffering=0) as stream:\n"
        "            while True: size += stream.write(bytes(1 << 20))\n"
        "    except OSError: os.unlink(place)\n"
        "    print(size >> 20)"
    )
    status, log = run(make(kind, tmp_bytes=8 * MIB, shm_bytes=4 * MIB), script(text))
    assert (status.cause, log) == (Cause.SUCCEEDED, "8\n4\n")


def test_the_time_limit_is_not_outlived(kind: DockerKind) -> None:
    text = (
        "import os, signal, time\n"
        "for number in range(1, 65):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "if os.fork() == 0: os.setsid()\n"
        "while True: time.sleep(1)"
    )
    spec = script(text, limits=Limits(timeout_seconds=2, grace_seconds=0.5))
    status, _ = run(make(kind), spec)
    assert status.cause is Cause.TIMED_OUT
    assert left_over(spec.key) == []


def test_a_program_of_the_image_that_gives_rights_gives_none(kind: DockerKind) -> None:
    name = f"{kind.parameters['instance']}/suid:1"
    kind.make_image(name, "FROM python:3.11-slim\nRUN cp /usr/bin/id /usr/bin/idroot && chmod 4755 /usr/bin/idroot\n")
    backend = make(kind, images=[name])
    spec = WorkloadSpec(new_key(), ["/usr/bin/idroot", "-u"], image=name)
    assert run(backend, spec)[1] == f"{backend.config.uid}\n"

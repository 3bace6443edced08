"""The way into a swarm: the entrance's own program, and behind it whoever its network knows by the workload's name."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from modelwright_runtime.handshake import Accepting, HandshakeError, RefusedError, replica_token
from modelwright_runtime.server import frames

from models.endpoints.probing import ping, sign_of
from models.gateway.addresses import (
    ENTRANCE_MAGIC,
    ENTRANCE_SCHEME,
    Access,
    AddressError,
    bridge_address,
    connect,
    parse,
)
from modelwright.compute.backends.swarm import entrance
from tests.certificates import certificate
from tests.gateway.processes import wait_for

SECRET = "the installation's token"
NAME = "01890a5d-ac96-774b-bcce-b302099a8057-7"
ACCESS = Access(SECRET)


class Task:
    """What answers in the tasks' network: pongs for whoever knows the replica's token."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            while True:
                connection = self._server.accept()[0]
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()
        except OSError:
            return

    def _answer(self, connection: socket.socket) -> None:
        side = Accepting(lambda name: replica_token(SECRET, name), lambda name: name == NAME)
        with connection:
            connection.sendall(side.greeting)
            try:
                while not side.is_done:
                    if not (data := connection.recv(4096)):
                        return
                    connection.sendall(side.feed(data))
            except RefusedError as error:
                connection.sendall(error.refusal)
                return
            self.asked.append(side.name)
            reader = frames.FrameReader()
            waiting = side.rest or connection.recv(65536)
            while waiting:
                for frame in reader.feed(waiting):
                    connection.sendall(frames.pack(frame.correlation_id, frames.PONG, b'{"version_id": "v"}'))
                waiting = connection.recv(65536)

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def task() -> Iterator[Task]:
    made = Task()
    yield made
    made.close()


Way = Callable[..., int]


@pytest.fixture
def open_way(task: Task, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """Opens an entrance whose network knows the task by its name, as the DNS of a swarm does; its port."""
    known = socket.getaddrinfo

    def getaddrinfo(host: str | bytes | None, *rest: object, **named: object) -> object:
        return known("127.0.0.1" if host == NAME else host, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with ExitStack() as opened:

        def start(certificate: str = "") -> int:
            listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.setblocking(False)
            tls = entrance.encrypting(certificate) if certificate else None
            opened.enter_context(running(entrance.Entrance(task.port, most=3, tls=tls).serve(listener)))
            return int(listener.getsockname()[1])

        yield start


@contextmanager
def running(work: Coroutine[Any, Any, None]) -> Iterator[None]:
    """A loop of its own for what would go on for ever."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        task.add_done_callback(lambda _: loop.stop())
        loop.call_soon_threadsafe(task.cancel)
        thread.join(30)


@pytest.fixture
def way(open_way: Way) -> int:
    """The port of an entrance."""
    return open_way()


def address(port: int, name: str = NAME) -> str:
    return bridge_address("127.0.0.1", port, name, scheme=ENTRANCE_SCHEME)


def test_an_address_says_that_it_is_an_entrance() -> None:
    made = parse(address(8100))
    assert (made, made.preface) == (  # type: ignore[union-attr]
        ("127.0.0.1", 8100, NAME, True),
        entrance.MAGIC + bytes([len(NAME)]) + NAME.encode(),
    )
    assert entrance.MAGIC == ENTRANCE_MAGIC
    assert parse(bridge_address("h", 1, NAME)).preface == b""  # type: ignore[union-attr]
    with pytest.raises(AddressError, match="255 bytes"):
        parse(address(8100, "x" * 256))


def test_a_replica_answers_through_it_and_proves_itself_to_the_one_who_asks(way: int, task: Task) -> None:
    assert ping(address(way), ACCESS) == {"version_id": "v"}
    assert task.asked == [NAME]
    with pytest.raises(HandshakeError, match="token is not the right one"):
        connect(address(way), Access("another"), timeout=60)
    assert task.asked == [NAME]


@pytest.mark.parametrize("name", ["tasks.mw-relay", "localhost", "127.0.0.1", f"{NAME}.example", NAME.upper(), ""])
def test_a_name_that_is_no_workloads_leads_nowhere(way: int, task: Task, name: str) -> None:
    with socket.create_connection(("127.0.0.1", way), 60) as connection:
        connection.sendall(entrance.MAGIC + bytes([len(name)]) + name.encode())
        assert connection.recv(10) == b""
    assert task.asked == []


def test_a_workload_that_is_not_there_is_no_connection(way: int) -> None:
    sign = sign_of(address(way, f"{uuid4()}-1"), ACCESS)
    assert (sign.pong, sign.is_connected) == (None, False)


def test_more_than_it_holds_are_closed_unheard(way: int) -> None:
    held = [connect(address(way), ACCESS, timeout=60) for _ in range(3)]
    with socket.create_connection(("127.0.0.1", way), 60) as connection:
        assert connection.recv(10) == b""
    for connection in held:
        connection.close()


def test_the_end_of_one_side_is_the_end_of_the_other(way: int, task: Task) -> None:
    connection = connect(address(way), ACCESS, timeout=60)
    connection.sendall(frames.pack(1, frames.PING, b"{}"))
    assert connection.recv(100)
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(100) == b""
    connection.close()


def test_with_a_certificate_nothing_is_said_in_the_clear(open_way: Way, task: Task, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    both = tmp_path / "entrance.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    port = open_way(str(both))
    access = Access(SECRET, ssl.create_default_context(cafile=str(cert)))
    assert ping(address(port), access) == {"version_id": "v"}
    assert task.asked == [NAME]
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(address(port), Access(SECRET, ssl.create_default_context()), timeout=60)
    with pytest.raises((OSError, HandshakeError)):
        connect(address(port), ACCESS, timeout=60)
    assert task.asked == [NAME]


def test_who_does_not_finish_the_greeting_of_tls_takes_a_place(open_way: Way, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    both = tmp_path / "entrance.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    port = open_way(str(both))
    silent = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(3)]
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        assert connection.recv(10) == b""
    for connection in silent:
        connection.close()
    access = Access(SECRET, ssl.create_default_context(cafile=str(cert)))

    def is_answered() -> bool:
        return ping(address(port), access) == {"version_id": "v"}

    wait_for(is_answered, what="a place that is free again")

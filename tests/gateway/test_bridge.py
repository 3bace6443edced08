"""The way to replicas of other hosts: real bridges, and behind them real model servers or an echo that tells all."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import requests
from modelwright_runtime.handshake import NO_SUCH_NAME, WRONG_TOKEN, Asking, HandshakeError
from modelwright_runtime.server import frames

from models.gateway.addresses import Access, AddressError, BridgeAddress, bridge_address, connect, parse
from tests.certificates import certificate
from tests.gateway.load import Load
from tests.gateway.processes import RECORD, SECRET, Bridge, Gateway, ModelServer, Process, endpoint, target, wait_for

ACCESS = Access(SECRET)
NAME = f"{uuid4()}-7"
StartBridge = Callable[..., Bridge]


@pytest.fixture
def sockets(directory: Path) -> Path:
    """The folder of a host's sockets."""
    folder = directory / "s"
    folder.mkdir()
    return folder


@pytest.fixture
def start_bridge(directory: Path, sockets: Path, processes: list[Process]) -> StartBridge:
    """Starts a bridge: `start_bridge("--strangers", "4")`."""

    def start(*options: str, port: int = 0) -> Bridge:
        bridge = Bridge(directory, sockets, *options, port=port)
        processes.append(bridge)
        return bridge

    return start


class Listening:
    """A Unix socket where a workload's would be; `accept` gives the next connection."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.socket.settimeout(30)

    def accept(self) -> socket.socket:
        """The next connection."""
        connection = self.socket.accept()[0]
        connection.settimeout(30)
        return connection


@pytest.fixture
def workload(sockets: Path) -> Iterator[Listening]:
    """The socket of the workload NAME."""
    listening = Listening(sockets / NAME / "s")
    yield listening
    listening.socket.close()


def read_all(connection: socket.socket) -> bytes:
    """Everything until the end."""
    content = bytearray()
    while data := connection.recv(1 << 16):
        content += data
    return bytes(content)


def stranger(bridge: Bridge) -> socket.socket:
    """A connection that has said nothing yet."""
    return socket.create_connection(("127.0.0.1", bridge.port), 30)


def refusal(bridge: Bridge, said: bytes) -> bytes:
    """What the bridge answers to these first bytes, after its greeting."""
    with closing(stranger(bridge)) as connection:
        connection.recv(36, socket.MSG_WAITALL)
        connection.sendall(said)
        return read_all(connection)


# --- who gets through -------------------------------------------------------------------------------------------------


def test_who_knows_the_token_speaks_to_the_workload_of_that_name(
    start_bridge: StartBridge, workload: Listening
) -> None:
    with (
        closing(connect(start_bridge().address(NAME), ACCESS, timeout=30)) as client,
        closing(workload.accept()) as far,
    ):
        client.sendall(b"a question")
        assert far.recv(100) == b"a question"
        far.sendall(b"an answer")
        assert client.recv(100) == b"an answer"


def test_who_has_another_token_is_refused_and_so_is_an_answer_heard_before(
    start_bridge: StartBridge, workload: Listening
) -> None:
    bridge = start_bridge()
    with pytest.raises(HandshakeError, match="token"):
        connect(bridge.address(NAME), Access(f"{SECRET}."), timeout=30)
    with closing(stranger(bridge)) as connection:
        side = Asking(SECRET, NAME)
        heard = side.feed(connection.recv(36, socket.MSG_WAITALL))
        connection.sendall(heard)
        side.feed(connection.recv(33, socket.MSG_WAITALL))
        assert side.is_done
        assert refusal(bridge, heard) == bytes([WRONG_TOKEN])
    assert refusal(bridge, bytes(400)) == bytes([WRONG_TOKEN])
    workload.accept().close()
    workload.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        workload.accept()


def test_nothing_but_a_socket_of_a_workload_is_reached(
    start_bridge: StartBridge, sockets: Path, directory: Path, workload: Listening
) -> None:
    outside = Listening(directory / "outside" / "s")
    others = {kind: f"{uuid4()}-1" for kind in ("link to a folder", "link to a socket", "a file", "dead", "upper")}
    (sockets / others["link to a folder"]).symlink_to(directory / "outside")
    (sockets / others["link to a socket"]).mkdir()
    (sockets / others["link to a socket"] / "s").symlink_to(directory / "outside" / "s")
    (sockets / others["a file"]).mkdir()
    (sockets / others["a file"] / "s").write_text("")
    Listening(sockets / others["dead"] / "s").socket.close()
    (sockets / "mlflow.sock").touch()
    names = [*others.values(), "../outside", "", ".", "..", "mlflow.sock", f"{NAME}/", f"./{NAME}", f"{NAME}\n"]
    names += [NAME.upper() + "A", NAME.replace("-7", "-٧"), f"{NAME}\0", f"{NAME}/../../outside", str(uuid4()) + "-1"]
    bridge = start_bridge()
    for name in names:
        side = Asking(SECRET, name)
        with closing(stranger(bridge)) as connection:
            connection.sendall(side.feed(connection.recv(36, socket.MSG_WAITALL)))
            assert read_all(connection) in (bytes([NO_SUCH_NAME]), bytes([WRONG_TOKEN])), name
    outside.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        outside.accept()
    connect(bridge.address(NAME), ACCESS, timeout=30).close()


def test_strangers_are_few_and_have_little_time_and_do_not_hinder_who_is_joined(
    start_bridge: StartBridge, workload: Listening
) -> None:
    bridge = start_bridge("--strangers", "4", "--handshake-seconds", "2")
    with closing(connect(bridge.address(NAME), ACCESS, timeout=30)) as client, closing(workload.accept()) as far:
        silent = [stranger(bridge) for _ in range(4)]
        assert all(connection.recv(36, socket.MSG_WAITALL).startswith(b"mwh1") for connection in silent)
        # Another one takes the place of the one that has been silent for longest, and so does who knows the token.
        silent.append(stranger(bridge))
        assert silent[4].recv(36, socket.MSG_WAITALL).startswith(b"mwh1")
        assert _greeting_or_end(silent[0]) == b""
        connect(bridge.address(NAME), ACCESS, timeout=30).close()
        workload.accept().close()
        client.sendall(b"still here")
        assert far.recv(100) == b"still here"
        assert [_greeting_or_end(connection) for connection in silent[1:]] == [b""] * 4
        client.sendall(b"and now")
        assert far.recv(100) == b"and now"
    with closing(connect(bridge.address(NAME), ACCESS, timeout=30)), closing(workload.accept()):
        pass
    with closing(stranger(bridge)) as slow:
        slow.sendall(b"x")
        slow.recv(36, socket.MSG_WAITALL)
        assert _greeting_or_end(slow) == b""


def _greeting_or_end(connection: socket.socket) -> bytes:
    """What comes next; a broken connection is an end too."""
    try:
        return connection.recv(36)
    except ConnectionError:
        return b""


# --- what gets through ------------------------------------------------------------------------------------------------


def test_an_end_of_one_direction_is_passed_on_and_the_other_goes_on(
    start_bridge: StartBridge, workload: Listening
) -> None:
    with (
        closing(connect(start_bridge().address(NAME), ACCESS, timeout=30)) as client,
        closing(workload.accept()) as far,
    ):
        client.sendall(b"all that I have")
        client.shutdown(socket.SHUT_WR)
        assert read_all(far) == b"all that I have"
        far.sendall(b"and this is the answer" * 10_000)
        far.close()
        assert read_all(client) == b"and this is the answer" * 10_000


def test_who_does_not_read_is_not_written_to_beyond_a_bound(start_bridge: StartBridge, workload: Listening) -> None:
    bridge = start_bridge()
    content = os.urandom(1 << 20) * 64
    before = psutil.Process(bridge.popen.pid).memory_info().rss
    with closing(connect(bridge.address(NAME), ACCESS, timeout=30)) as client, closing(workload.accept()) as far:
        for sender, reader in ((client, far), (far, client)):
            done = threading.Event()

            def send(sender: socket.socket = sender, done: threading.Event = done) -> None:
                sender.settimeout(60)
                sender.sendall(content)
                sender.shutdown(socket.SHUT_WR)
                done.set()

            thread = threading.Thread(target=send)
            thread.start()
            assert not done.wait(1)
            assert psutil.Process(bridge.popen.pid).memory_info().rss - before < 16 << 20
            assert read_all(reader) == content
            thread.join(60)


def test_when_the_workload_ends_its_guests_are_told(start_bridge: StartBridge, workload: Listening) -> None:
    bridge = start_bridge()
    with closing(connect(bridge.address(NAME), ACCESS, timeout=30)) as client:
        workload.accept().close()
        assert client.recv(1) == b""
    bridge_process = psutil.Process(bridge.popen.pid)
    wait_for(lambda: len(bridge_process.net_connections("tcp")) == 1, what="the end of every connection")


def test_with_tls_nothing_is_said_in_the_clear(start_bridge: StartBridge, workload: Listening, directory: Path) -> None:
    cert, key = certificate(directory)
    bridge = start_bridge("--tls-cert", str(cert), "--tls-key", str(key), "--strangers", "4")
    with pytest.raises(TimeoutError):
        connect(bridge.address(NAME), ACCESS, timeout=0.5)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(bridge.address(NAME), Access(SECRET, ssl.create_default_context()), timeout=30)
    for _ in range(8):  # none of those that failed stays on the list of strangers
        with closing(stranger(bridge)) as connection:
            connection.sendall(bytes(100))
            read_all(connection)
    access = Access(SECRET, ssl.create_default_context(cafile=str(cert)))
    content = os.urandom(5 << 20)
    with closing(connect(bridge.address(NAME), access, timeout=30)) as client, closing(workload.accept()) as far:
        client.sendall(b"a question")
        assert far.recv(100) == b"a question"

        def send() -> None:
            far.sendall(content)
            far.close()

        sender = threading.Thread(target=send)
        sender.start()
        assert read_all(client) == content
        sender.join(30)


@pytest.mark.parametrize(
    "text", ["bridge://", "bridge://h/x", "bridge://h:1", "bridge://h:1/", "bridge://h:1/a/b", "bridge://h:99999/x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse(text)


def test_addresses_are_read_as_they_are_written() -> None:
    for host in ("host-2", "10.0.0.3", "fd00::3"):
        assert parse(bridge_address(host, 8100, NAME)) == BridgeAddress(host, 8100, NAME)
    assert parse("/some/where/s") == Path("/some/where/s")
    with pytest.raises(AddressError, match="107"):
        parse("/" + "x" * 107)


# --- serving ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def behind(sockets: Path, start_server: Callable[..., ModelServer]) -> ModelServer:
    """A real replica whose socket is where a workload's is."""
    path = sockets / NAME / "s"
    path.parent.mkdir()
    return start_server("one", "behind", socket=path).ready()


def gateway_with(start_gateway: Callable[..., Gateway], directory: Path, *sockets: Path | str) -> Gateway:
    """A gateway that knows the token and serves these replicas."""
    (directory / "secret").write_text(SECRET)
    gateway = start_gateway("--secret-file", str(directory / "secret"))
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, *sockets))})
    return gateway


def connected(gateway: Gateway) -> int:
    """How many replicas it is connected to."""
    text = requests.get(f"{gateway.url}/metrics", timeout=30).text
    found = re.search(r"^modelwright_gateway_replicas_connected (\d+)", text, re.MULTILINE)
    assert found, text
    return int(found[1])


def wrong(load: Load) -> list[object]:
    """Answers that are not the model's, among those with status 200."""
    good = [answer.body["predictions"] for answer in load.answers if answer.status == 200]
    return [predictions for predictions in good if len(predictions) != 1 or not predictions[0].startswith("one:")]


@pytest.mark.slow
def test_a_replica_behind_a_bridge_serves_64_clients(
    start_bridge: StartBridge, start_gateway: Callable[..., Gateway], directory: Path, behind: ModelServer
) -> None:
    gateway = gateway_with(start_gateway, directory, start_bridge().address(NAME))
    with Load(gateway, clients=64) as load:
        wait_for(lambda: len(load.answers) > 3000)
    assert load.broken == []
    assert load.refused == []
    assert wrong(load) == []
    assert len(gateway.recorded()) == len(load.answers)


@pytest.mark.slow
def test_a_killed_bridge_costs_no_answer_where_another_replica_is_and_is_found_again(
    start_bridge: StartBridge,
    start_gateway: Callable[..., Gateway],
    directory: Path,
    behind: ModelServer,
    replicas: dict[str, Path],
) -> None:
    bridge = start_bridge()
    gateway = gateway_with(start_gateway, directory, bridge.address(NAME), replicas["one"])
    wait_for(lambda: connected(gateway) == 2, what="both replicas")
    with Load(gateway, clients=64) as load:
        for _ in range(3):
            before = len(load.answers)
            wait_for(lambda before=before: len(load.answers) > before + 500)  # type: ignore[misc]
            bridge.stop(signal.SIGKILL)
            before = len(load.answers)
            wait_for(lambda before=before: len(load.answers) > before + 500)  # type: ignore[misc]
            bridge = start_bridge(port=bridge.port)
            wait_for(lambda: connected(gateway) == 2, what="the way back")
    assert load.broken == []
    assert load.refused == []
    assert wrong(load) == []


@pytest.mark.slow
def test_without_its_bridge_the_only_replica_is_unavailable_and_then_serves_again(
    start_bridge: StartBridge, start_gateway: Callable[..., Gateway], directory: Path, behind: ModelServer
) -> None:
    bridge = start_bridge()
    gateway = gateway_with(start_gateway, directory, bridge.address(NAME))
    wait_for(lambda: gateway.predict(RECORD).status_code == 200)
    with Load(gateway, clients=64) as load:
        wait_for(lambda: len(load.answers) > 500)
        bridge.stop(signal.SIGKILL)
        wait_for(lambda: len(load.refused) > 50)
        before = len(load.answers)
        bridge = start_bridge(port=bridge.port)
        wait_for(lambda: any(answer.status == 200 for answer in load.answers[before:]))
    assert load.broken == []
    assert {answer.status for answer in load.refused} == {503}
    assert wrong(load) == []


@pytest.mark.slow
def test_a_gateway_with_another_token_serves_nothing_and_says_why(
    start_bridge: StartBridge, start_gateway: Callable[..., Gateway], directory: Path, behind: ModelServer
) -> None:
    bridge = start_bridge()
    (directory / "other").write_text("another")
    gateway = start_gateway("--secret-file", str(directory / "other"))
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, bridge.address(NAME)))})
    wait_for(lambda: gateway.predict(RECORD).status_code == 503)
    assert "the token is not the right one" in gateway.text()


@pytest.mark.slow
def test_a_replica_behind_a_bridge_tells_who_it_is(start_bridge: StartBridge, behind: ModelServer) -> None:
    with closing(connect(start_bridge().address(NAME), ACCESS, timeout=30)) as client:
        client.sendall(frames.pack(1, frames.PING, b"{}"))
        reader = frames.FrameReader()
        received: list[frames.Frame] = []
        while not received:
            received = reader.feed(client.recv(1 << 16))
    assert json.loads(received[0].payload)["version_id"] == "one"

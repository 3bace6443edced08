"""The proxy reaches workloads of another host through that host's bridge, with a token for that workload alone."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from modelwright_runtime.handshake import replica_token

from modelwright.accounts.models import User
from modelwright.compute.layout import socket_path
from modelwright.compute.models import GIB, Host, Workload
from modelwright.compute.services import announce_host, create_workload
from sessions import addresses, minding, table
from tests.gateway.processes import SECRET, Bridge
from tests.sessions.conftest import SYSTEM, Start, come_in, run_through
from tests.sessions.labs import fresh
from tests.sessions.proxying import KEY, Proxy, Upstream, entry

NAME = f"{uuid4()}-7"


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """The bridge of a host on which a workload listens."""
    # Paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix="mwb-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "s" / NAME).mkdir(parents=True)
        upstream = Upstream(folder / "s" / NAME)
        made = Bridge(folder, folder / "s")
        yield made
        made.stop()
        upstream.stop()


@pytest.fixture
def proxy_alone(tmp_path: Path) -> Iterator[Proxy]:
    """A proxy whose table the test writes."""
    (tmp_path / "proxy").mkdir()
    process = Proxy(tmp_path / "proxy")
    yield process
    process.stop()


def test_http_and_websockets_go_through_the_bridge(bridge: Bridge, proxy_alone: Proxy) -> None:
    proxy_alone.publish(entry(bridge.address(NAME), token=replica_token(SECRET, NAME)))
    cookie = proxy_alone.enter()
    answer = proxy_alone.ask("/x", method="POST", cookie=cookie, body=b"abc", Sec_Fetch_Site="same-origin")
    assert (answer.status, answer.json()["body"]) == (200, "abc")

    async def talk() -> str:
        async with proxy_alone.websocket("/socket", cookie) as channel:
            await channel.send_str("hello")
            return str(await channel.receive_str(timeout=30))

    assert asyncio.run(talk()) == "hello"


@pytest.mark.parametrize(
    "token", ["", "of-nobody", replica_token(SECRET, f"{uuid4()}-7")], ids=["none", "of-nobody", "of-another"]
)
def test_without_the_token_of_the_workload_the_bridge_opens_nothing(
    bridge: Bridge, proxy_alone: Proxy, token: str
) -> None:
    proxy_alone.publish(entry(bridge.address(NAME), token=token))
    assert proxy_alone.ask("/x", cookie=proxy_alone.enter()).status == 502


def test_who_runs_on_a_host_without_an_address_is_said_to_be_out_of_reach(proxy_alone: Proxy) -> None:
    proxy_alone.publish(entry(""))
    answer = proxy_alone.ask("/x", cookie=proxy_alone.enter())
    assert (answer.status, "out of reach" in answer.text, "--address" in answer.text) == (502, True, True)


def test_who_takes_the_address_of_a_bridge_without_the_token_is_told_nothing(proxy_alone: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        proxy_alone.publish(entry(f"bridge://127.0.0.1:{listener.getsockname()[1]}/{NAME}", token="t"))
        cookie = proxy_alone.enter()

        async def ask() -> tuple[int, bytes]:
            asked = asyncio.get_running_loop().run_in_executor(None, lambda: proxy_alone.ask("/private", cookie=cookie))
            connection, _ = await asyncio.get_running_loop().run_in_executor(None, listener.accept)
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                connection.settimeout(30)
                said = await asyncio.get_running_loop().run_in_executor(None, connection.recv, 4096)
            return (await asked).status, said

        assert asyncio.run(ask()) == (502, b"")


@pytest.fixture
def far_bridge(tmp_path: Path, settings: Any) -> Iterator[Bridge]:
    """The bridge of the host on which this test's workloads run, which is another one than the proxy's."""
    made = Bridge(tmp_path, Path(settings.SOCKETS_DIR))
    # The table's tokens are of this key.
    settings.SECRET_KEY = SECRET
    yield made
    made.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_lab_on_a_joined_host_runs_cells_through_the_proxy_and_the_bridge(
    far_bridge: Bridge, start: Start, ann: User, proxy: Proxy, settings: Any
) -> None:
    session = start(ann)
    Host.objects.filter(name=settings.HOST_NAME).update(address="127.0.0.1", bridge_port=far_bridge.port)
    here = settings.HOST_NAME
    # What follows is done by the control plane, on a machine of its own.
    settings.HOST_NAME = "control-plane"
    try:
        cookie = come_in(proxy, session, ann, loops=minding.publish)
        row = table.read(table.table_path(Path(settings.DATA_DIR)))[session.key]
        assert row.target == far_bridge.address(fresh(session).workload.key_name)
        assert run_through(proxy, session, cookie, "print(6 * 7)") == "42\n"
    finally:
        settings.HOST_NAME = here


@pytest.mark.django_db
def test_the_table_holds_the_token_of_a_far_workload_and_none_of_a_near_one() -> None:
    far = announce_host(name="far", cpu=1, memory_bytes=2 * GIB, acting_user=SYSTEM)
    Host.objects.filter(pk=far.pk).update(address="10.0.0.7", bridge_port=8100)
    near = announce_host(name="test-host", cpu=1, memory_bytes=2 * GIB, acting_user=SYSTEM)
    workload = create_workload(
        kind=Workload.Kind.SESSION, name="s", command=["x"], cpu=1, memory_bytes=GIB, acting_user=SYSTEM
    )
    workload.fence, workload.host = 7, near
    assert (addresses.address(workload), addresses.token(workload)) == (str(socket_path(workload.key_name)), "")
    workload.host = Host.objects.get(pk=far.pk)
    assert addresses.address(workload) == f"bridge://10.0.0.7:8100/{workload.key_name}"
    assert addresses.token(workload)


def test_a_table_of_an_earlier_version_has_no_tokens(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    table.write(path, [entry("/s")])
    path.write_text(path.read_text().replace(',"token":""', ""))
    assert table.read(path)[KEY].token == ""

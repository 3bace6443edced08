"""A gateway that listens at more than one address of its machine."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import requests

from models.gateway.__main__ import _parse
from tests.e2e.stack import free_port
from tests.gateway.processes import Gateway, wait_for

StartGateway = Callable[..., Gateway]
OTHER = "127.0.0.9"


@pytest.mark.parametrize("count", ["1", "2"])
def test_it_answers_at_another_address_too_and_nowhere_else(start_gateway: StartGateway, count: str) -> None:
    port = free_port()
    gateway = start_gateway("--listen", f"127.0.0.1:{port}", "--also", OTHER, "--processes", count)
    assert gateway.port == port

    def answers(host: str) -> bool:
        try:
            return requests.get(f"http://{host}:{port}/health/live", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    wait_for(lambda: answers(OTHER), what="the other address")
    assert answers("127.0.0.1")
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.8", port), 5):
        pass


def test_another_address_needs_a_port_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parse(["--listen", "127.0.0.1:0", "--also", OTHER, "--routes", "r", "--spool", "s"])
    assert "--also needs a port" in capsys.readouterr().err

"""A port in use is stepped over, unless it was asked for."""

import socket
from collections.abc import Iterator

import pytest

from modelwright.local.ports import PortTaken, choose

HOST = "127.0.0.1"


@pytest.fixture
def used() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_the_next_free_port_is_chosen(used: int) -> None:
    assert choose(HOST, None, used, option="--web-port") > used


def test_a_port_that_was_asked_for_and_is_in_use_is_refused_with_the_way_out(used: int) -> None:
    with pytest.raises(PortTaken, match=f"Port {used} on {HOST} is in use.*leave --web-port out"):
        choose(HOST, used, 8000, option="--web-port")


def test_two_programs_never_get_the_same_port(used: int) -> None:
    first = choose(HOST, None, used, option="--web-port")
    assert choose(HOST, None, first, option="--gateway-port", taken=frozenset({first})) != first

"""TCP ports for what people and programs reach."""

import socket
from contextlib import closing

TRIES = 200


class PortTaken(Exception):
    """The port that somebody asked for is in use; the text says what to do."""


def is_free(host: str, port: int) -> bool:
    """Could a server listen there?"""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose(host: str, wanted: int | None, first: int, *, option: str, taken: frozenset[int] = frozenset()) -> int:
    """The `wanted` port, or without one the first free port from `first` on that is not in `taken`.

    Raises `PortTaken` when the wanted port is in use, or no port is free.
    """
    if wanted is not None:
        if wanted in taken or not is_free(host, wanted):
            raise PortTaken(f"Port {wanted} on {host} is in use. Stop what uses it, or leave {option} out.")
        return wanted
    for port in range(first, first + TRIES):
        if port not in taken and is_free(host, port):
            return port
    raise PortTaken(f"No port from {first} to {first + TRIES - 1} is free on {host}. Name one with {option}.")

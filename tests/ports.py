"""Free ports for programs that have to be told which one to listen on."""

from __future__ import annotations

import random
import socket

# Below those that systems hand out by themselves: a connection that some other test opens before the program listens
# could be given the port meanwhile.
PORTS = range(20_000, 32_000)
_given: set[int] = set()


def free_port(address: str = "127.0.0.1") -> int:
    """A port of the address that nobody has right now, and that nobody is given unasked."""
    for port in random.sample(PORTS, 1000):
        if port not in _given and _is_free(address, port):
            _given.add(port)
            return port
    raise AssertionError("no port is free")


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True

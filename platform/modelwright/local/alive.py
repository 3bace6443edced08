"""A health check of a container: `python -I -S alive.py …`, with the standard library alone, for it is asked often.

http ADDRESS PATH     a GET on HOST:PORT or on a Unix socket's path answers with a status below 500
socket PATH           somebody accepts connections at a Unix socket
pulse FILE SECONDS    the file was touched no longer ago than that
"""

import os
import socket
import sys
import time

TIMEOUT_SECONDS = 20


def main(words: list[str]) -> int:
    """0 when it is alive, 1 when it is not, 2 when the question is not understood."""
    try:
        match words:
            case ["http", address, path]:
                return 0 if answers(address, path) else 1
            case ["socket", path]:
                connect(path).close()
                return 0
            case ["pulse", file, seconds]:
                return 0 if time.time() - os.stat(file).st_mtime < float(seconds) else 1
    except OSError:
        return 1
    print(__doc__, file=sys.stderr)
    return 2


def answers(address: str, path: str) -> bool:
    """Does a plain GET there answer with a status below 500? Raises OSError where nobody does."""
    with connect(address) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        status = connection.recv(64).split(b" ")
    return len(status) > 1 and status[0].startswith(b"HTTP/1.") and status[1] < b"500"


def connect(address: str) -> socket.socket:
    """A connection to HOST:PORT, or to a Unix socket's path. Raises OSError."""
    unix = address.startswith("/")
    connection = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_SECONDS)
    host, _, port = address.rpartition(":")
    connection.connect(address if unix else (host, int(port)))
    return connection


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m modelwright.local.alive`: a health check of a container, with the standard library alone.

http ADDRESS PATH     a GET on HOST:PORT or on a Unix socket's path answers with a status below 500
socket PATH           somebody accepts connections at a Unix socket
pulse FILE SECONDS    the file was touched no longer ago than that
"""

import socket
import sys
import time
from contextlib import closing
from pathlib import Path

from modelwright.local.mlflow_server import http_answers

TIMEOUT_SECONDS = 5


def main(words: list[str]) -> int:
    """0 when it is alive, 1 when it is not, 2 when the question is not understood."""
    match words:
        case ["http", address, path]:
            return 0 if http_answers(parse(address), path) else 1
        case ["socket", path]:
            return 0 if accepts(path) else 1
        case ["pulse", file, seconds]:
            return 0 if beats(Path(file), float(seconds)) else 1
    print(__doc__, file=sys.stderr)
    return 2


def parse(address: str) -> Path | tuple[str, int]:
    """A Unix socket's path, or host and port."""
    host, _, port = address.rpartition(":")
    return Path(address) if address.startswith("/") else (host, int(port))


def accepts(path: str) -> bool:
    """Does somebody accept connections there?"""
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(path)
    except OSError:
        return False
    return True


def beats(file: Path, seconds: float) -> bool:
    """Was the file touched within so many seconds?"""
    try:
        return time.time() - file.stat().st_mtime < seconds
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a workload answers is somebody's own: however it is framed, the next answer on a connection stays the next one.

A proxy in front, which ends TLS, sends requests of many people through one connection to this one.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sessions.proxying import KEY, Proxy, entry

STOLEN = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
ANSWERS = {
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + STOLEN,
    "early hints for ever": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + STOLEN,
    "no content with one": b"HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "not modified with one": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "both lengths": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n2c\r\n" + STOLEN,
    "length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "length listed": b"HTTP/1.1 200 OK\r\nContent-Length: 0, 44\r\n\r\n" + STOLEN,
    "too short": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + STOLEN,
    "coded twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + STOLEN,
    "folded": b"HTTP/1.1 200 OK\r\nX: 1\r\n Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "bare line ends": b"HTTP/1.1 200 OK\r\nX: 1\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "bare returns": b"HTTP/1.1 200 OK\r\nX: 1\rContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "odd reason": b"HTTP/1.1 200 \xff\xfe\x01\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "odd status": b"HTTP/1.1 999 Odd\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "no status": b"HTTP/1.1 000 None\r\nContent-Length: 44\r\n\r\n" + STOLEN,
    "nothing of HTTP": STOLEN[9:],
    "until the end": b"HTTP/1.0 200 OK\r\n\r\n" + STOLEN,
    "chunk that is too long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + STOLEN,
    "chunk with words": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0;x=\n\r\n\r\n" + STOLEN,
}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    process = Proxy(tmp_path_factory.mktemp("proxy"))
    yield process
    assert process.stop() == 0, process.text()


@pytest.fixture
def says(tmp_path: Path) -> Iterator[Any]:
    """Have the workload at a socket answer each request with these bytes."""
    path, stop = tmp_path / "raw", threading.Event()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve(data: bytes) -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(data)

    def begin(data: bytes) -> Path:
        threading.Thread(target=serve, args=(data,), daemon=True).start()
        return path

    yield begin
    stop.set()
    server.shutdown(socket.SHUT_RDWR)
    server.close()


class _Bytes(io.BytesIO):
    def makefile(self, *_: Any) -> io.BytesIO:
        return self

    def close(self) -> None:
        """The next answer is read from where this one ended."""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_of_a_workload_takes_the_place_of_the_next(proxy: Proxy, says: Any, name: str, method: str) -> None:
    proxy.publish(entry(says(ANSWERS[name])))
    cookie = proxy.enter()
    first = f"{method} / HTTP/1.1\r\nHost: {proxy.host(KEY)}\r\nCookie: {cookie}\r\n\r\n"
    second = "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    got = _Bytes(proxy.raw((first + second).encode()))
    one = http.client.HTTPResponse(got, method=method)  # type: ignore[arg-type]  # it only reads
    one.begin()
    assert one.status >= 200, "a final answer"
    one.read()
    rest = got.read()
    # Either nothing comes after it, or exactly what the proxy says to the second request.
    if rest:
        two = http.client.HTTPResponse(_Bytes(rest), method="GET")  # type: ignore[arg-type]
        two.begin()
        assert two.read() == b'{"status": "ok"}'

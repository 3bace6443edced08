"""A real proxy as a process, workloads behind it, and clients that speak to it as a browser would."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import aiohttp

from sessions import logins, table
from sessions.table import Entry, EntryState
from sessions.tickets import Ticket, sign_ticket
from tests.gateway.processes import Process, wait_for

SECRET = "the key of sessions in a test"
ANN, BEN = "ann-id", "ben-id"
LOGIN = "login-of-ann"
KEY = "k3ysofann"
COOKIE = "modelwright_pass"
WEB_URL = "http://127.0.0.1:8000"


def entry(target: Path | str, key: str = KEY, users: Iterable[str] = (ANN,), **changes: Any) -> Entry:
    """A session that runs at `target`."""
    values = {"kind": "session", "subject": "0199", "title": "churn session 1", "state": EntryState.RUNNING}
    return Entry(key=key, target=str(target), users=frozenset(users), **{**values, **changes})


class Upstream(Process):
    """The workload of `upstream.py` on a Unix socket."""

    def __init__(self, directory: Path, name: str = "s") -> None:
        self.socket = directory / name
        super().__init__([sys.executable, "-m", "tests.sessions.upstream", str(self.socket)], directory / f"{name}.log")
        self.wait_for_line("ready")


class Proxy(Process):
    """A proxy on a port, with its files below `directory`."""

    def __init__(self, directory: Path, *options: str, port: int = 0, redis_url: str = "") -> None:
        self.directory = directory
        key_file = directory / "sessions-key"
        key_file.write_text(SECRET)
        command = [sys.executable, "-m", "sessions.proxy", "--listen", f"127.0.0.1:{port}", "--data", str(directory)]
        command += ["--url", "http://*.localhost:8002", "--web-url", WEB_URL, "--key-file", str(key_file), *options]
        log = directory / f"proxy-{time.monotonic_ns()}.log"
        super().__init__(command, log, REDIS_URL=redis_url or os.environ["REDIS_URL"])
        self.port = int(self.wait_for_line(r"listening on [\d.]+:(\d+)")[1])

    def publish(self, *entries: Entry, live: Iterable[str] = (LOGIN,)) -> None:
        """Write the table and the logins, and wait until the proxy has read them."""
        table.write(table.table_path(self.directory), entries)
        logins.write(logins.logins_path(self.directory), live)
        self.catch_up()

    def catch_up(self) -> None:
        """Wait until the proxy has read the table and the logins that lie there now."""
        paths = (table.table_path(self.directory), logins.logins_path(self.directory))
        stamps = [path.stat() for path in paths]
        seen = [f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}" for status in stamps]
        wait_for(lambda: self.state()["seen"] == seen, what="the new table")

    def state(self) -> dict[str, Any]:
        """What `/health/ready` says."""
        answer = self.ask("/health/ready", host=f"127.0.0.1:{self.port}")
        state: dict[str, Any] = json.loads(answer.body)
        return state

    def host(self, key: str = KEY) -> str:
        return f"{key}.localhost:{self.port}"

    def origin(self, key: str = KEY) -> str:
        return f"http://{self.host(key)}"

    def ask(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        key: str = KEY,
        host: str = "",
        cookie: str = "",
        body: bytes | None = None,
        **headers: Any,
    ) -> Answer:
        """One request; underscores in names of headers are dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Accept", "text/html")
        if cookie:
            sent["Cookie"] = cookie
        try:
            connection.request(method, path, body, {"Host": host or self.host(key), **sent})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def raw(self, data: bytes, *, seconds: float = 60.0) -> bytes:
        """What comes back for these bytes until the proxy closes or, once it has begun, says nothing for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(data)
            got = b""
            try:
                while piece := connection.recv(65536):
                    got += piece
                    connection.settimeout(1.0)
            except (TimeoutError, ConnectionError):
                pass
            return got

    def enter(self, key: str = KEY, user: str = ANN, login: str = LOGIN) -> str:
        """Come in by a ticket: the cookie."""
        answer = self.ask(f"/_enter?ticket={ticket(key, user, login)}", key=key)
        assert answer.status == 200, answer.body
        return cookie_of(answer)

    def websocket(self, path: str, cookie: str, *, origin: str | None = None, key: str = KEY, **more: Any) -> _Opened:
        """A WebSocket as a page of the origin would open it, for `async with`."""
        headers = {"Host": self.host(key), "Cookie": cookie, "Origin": origin or self.origin(key)}
        return _Opened(f"http://127.0.0.1:{self.port}{path}", headers, more)


class _Opened:
    def __init__(self, url: str, headers: dict[str, str], options: dict[str, Any]) -> None:
        self._url, self._headers, self._options = url, headers, options

    async def __aenter__(self) -> aiohttp.ClientWebSocketResponse:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            opened: Any = await self._session.ws_connect(self._url, headers=self._headers, **self._options)
        except BaseException:
            await self._session.close()
            raise
        self._socket = cast("aiohttp.ClientWebSocketResponse", opened)
        return self._socket

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        await self._session.close()
        await asyncio.sleep(0)


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


def ticket(key: str = KEY, user: str = ANN, login: str = LOGIN, path: str = "/lab", lasts: float = 30) -> str:
    """A ticket as the platform signs it."""
    return sign_ticket(SECRET, Ticket(key, user, login, path, time.time() + lasts))


def cookie_of(answer: Answer) -> str:
    """The pass that the answer sets, as a `Cookie` header."""
    for header in answer.headers.get_all("Set-Cookie") or []:
        if found := re.match(rf"({COOKIE}=[^;]+)", header):
            return found[1]
    raise AssertionError("no pass was set")

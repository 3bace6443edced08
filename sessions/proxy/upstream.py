"""Connections to workloads: to a Unix socket of this host, or through the bridge of another."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.client_proto import ResponseHandler

from modelwright.compute.backends.sockets import own_socket
from sessions.proxy import bridges
from sessions.table import Entry

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

CONNECT_SECONDS = 5.0
LONGEST_LINE = 16 * 1024


class Workloads(aiohttp.BaseConnector):
    """Connects `http://<key>/…` to the workload of that key, whose entry `entry_of` gives.

    Each request has a connection of its own: on this host one costs some fifty microseconds, and one that is kept may
    be closed by the workload just when a request is sent that must not be sent twice.
    """

    def __init__(self, entry_of: Callable[[str], Entry | None], tls: ssl.SSLContext | None) -> None:
        super().__init__(force_close=True, limit=0)
        self._entry_of, self._tls = entry_of, tls

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        entry = self._entry_of(req.url.host or "")
        if entry is None or not entry.target:
            raise aiohttp.ClientConnectionError("it has no address")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if not entry.target.startswith("/"):
                    return await bridges.connect(self._factory, entry.target, entry.token, self._tls)
                connection = await _connect(entry.target)
                _, protocol = await self._loop.create_unix_connection(self._factory, sock=connection)
        except OSError as error:
            raise aiohttp.ClientConnectionError(f"{entry.target}: {error}") from error
        return protocol


def client(entry_of: Callable[[str], Entry | None], tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """A client that hands on what it gets: no cookies, no decoding, no redirects of its own, no end of its patience.

    `tls` says whose certificates bridges have; without it nothing that goes to them is encrypted.
    """
    return aiohttp.ClientSession(
        connector=Workloads(entry_of, tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )


async def _connect(target: str) -> socket.socket:
    """To a socket of this host. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        with own_socket(Path(os.fspath(target))) as path:
            await asyncio.get_running_loop().sock_connect(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection

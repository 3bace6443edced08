"""The connection to the MLflow server, and what the platform itself asks of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from yarl import URL

from modelwright.core.errors import Unavailable

WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"
_ORIGIN = "http://localhost"
_CREATED = (200, 201)
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=300)
_MAX_CONNECTIONS = 64


class Upstream:
    """One pool of connections to MLflow's Unix socket. Made lazily in the loop that uses it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._known: set[str] = set()

    def session(self) -> aiohttp.ClientSession:
        """The pool of the running loop."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            connector = aiohttp.UnixConnector(path=str(self._socket), limit=_MAX_CONNECTIONS)
            self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, auto_decompress=False)
            self._loop = loop
        return self._session

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    @staticmethod
    def url(path: str, query: str) -> URL:
        """The address of a raw path and query, neither decoded nor normalised on the way."""
        return URL(f"{_ORIGIN}{path}?{query}" if query else f"{_ORIGIN}{path}", encoded=True)

    async def ensure_workspace(self, name: str) -> None:
        """Make the MLflow workspace where it is missing. Raises Unavailable and aiohttp.ClientError."""
        if name in self._known:
            return
        url = self.url("/api/3.0/mlflow/workspaces", "")
        async with self.session().post(url, json={"name": name}) as response:
            answer = await response.text()
            if response.status not in _CREATED and "RESOURCE_ALREADY_EXISTS" not in answer:
                raise Unavailable(
                    f"The project's space in MLflow could not be made: MLflow answered {response.status}.",
                    remedy="Try again; an administrator finds the reason in the log of mlflow.",
                )
        self._known.add(name)

"""The host's end of the way to the platform's API: Unix sockets mounted into containers, each to a TCP service.

A container needs no network for it, so nothing else of the host or of any network is within its reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from modelwright.compute.backends.docker.config import Relay

CHUNK = 65536
# A connection takes two descriptors of this process, which needs some for its own work.
SHARE_OF_DESCRIPTORS = 4


class RelayServer:
    """Serves `folder/<number>.sock` for each relay in a thread of its own."""

    def __init__(self, folder: Path, relays: Sequence[Relay]) -> None:
        """Takes the sockets over from a process that is gone. Anybody may connect: the services ask for a token."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        self.folder = folder
        self._relays = relays
        self._open = 0
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE_OF_DESCRIPTORS
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def close(self) -> None:
        """Stops; connections end."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        servers = [self._loop.run_until_complete(self._listen(*numbered)) for numbered in enumerate(self._relays)]
        self._ready.set()
        self._loop.run_forever()
        for server in servers:
            server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _listen(self, number: int, relay: Relay) -> asyncio.Server:
        path = self.folder / f"{number}.sock"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(partial(self._serve, relay), str(temporary))
        temporary.chmod(0o666)
        temporary.replace(path)
        return server

    async def _serve(self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A workload may open as many as it likes; the keeper must outlive that.
        if self._open >= self._most:
            writer.close()
            return
        self._open += 1
        try:
            await _join(relay, reader, writer)
        finally:
            self._open -= 1
            writer.close()


async def _join(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        far_reader, far_writer = await asyncio.open_connection(*relay.target)
    except OSError:
        return
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    finally:
        far_writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    with contextlib.suppress(OSError):
        if target.can_write_eof():
            target.write_eof()

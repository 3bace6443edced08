"""Program of the one service through which replicas are reached from outside of the tasks' closed network.

`python3 -I -S entrance.py LISTEN-PORT REPLICA-PORT`, on an image's own Python 3.8 or newer. Whoever connects names a
workload (`mwe1 | u8 length | name`) and is joined to the task of that name, at that one port. All that follows is
between the two, who prove to each other that they know the replica's token: nothing secret is known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys

MAGIC = b"mwe1"
# `<workload id>-<fence>`: no other name is looked up for a stranger.
NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{1,19}")
GREETING_SECONDS = 10.0
REACH_SECONDS = 4.0
CHUNK = 65536
MOST = 2000
# A machine that lost its power says nothing: after so long without an acknowledgement its connection is given up.
SILENCE_SECONDS = 10
KEEPALIVE = ((socket.TCP_KEEPIDLE, 4), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))


class Entrance:
    """Joins connections; what comes while `most` are open is closed unheard."""

    def __init__(self, port: int, most: int = MOST) -> None:
        self._port, self._most, self._open = port, most, 0

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its last."""
        self._open += 1
        try:
            if self._open <= self._most:
                await self._lead(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # Whoever asked sees a closed connection, and asks again.
        finally:
            self._open -= 1
            writer.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = await asyncio.wait_for(wanted(reader), GREETING_SECONDS)
        if name is not None:
            # A name has the address of each of its tasks, also of one whose machine has just died.
            far = asyncio.open_connection(name, self._port, happy_eyeballs_delay=0.3)
            far_reader, far_writer = await asyncio.wait_for(far, REACH_SECONDS)
            with contextlib.closing(far_writer):
                await both_ways((reader, writer), (far_reader, far_writer))


async def wanted(reader: asyncio.StreamReader) -> str | None:
    """The workload that a stranger names, None for what is no such name."""
    if await reader.readexactly(len(MAGIC)) != MAGIC:
        return None
    size = (await reader.readexactly(1))[0]
    name = (await reader.readexactly(size)).decode("ascii", "replace")
    return name if NAME.fullmatch(name) else None


async def both_ways(
    near: tuple[asyncio.StreamReader, asyncio.StreamWriter], far: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    """Until one side ends: neither is of use without the other."""
    for _, writer in (near, far):
        notice_silence(writer.get_extra_info("socket"))
    ways = [asyncio.ensure_future(copy(near[0], far[1])), asyncio.ensure_future(copy(far[0], near[1]))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """One direction, until its sender ends it or breaks off."""
    with contextlib.suppress(OSError):
        data = await source.read(CHUNK)
        while data:
            target.write(data)
            await target.drain()
            data = await source.read(CHUNK)


def notice_silence(connection: socket.socket) -> None:
    """Small frames leave at once, and a peer that vanished is noticed."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)


async def serve(listen: int, port: int) -> None:
    """Until SIGTERM."""
    await asyncio.start_server(Entrance(port).join, "0.0.0.0", listen)  # noqa: S104 - in a network of its own
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))

"""Program of the one service through which replicas are reached from outside of the tasks' closed network.

`python3 -I -S entrance.py LISTEN-PORT REPLICA-PORT [CERTIFICATE]`, on an image's own Python 3.8 or newer. With the file
CERTIFICATE, a chain of certificates and the private key, connections are encrypted. Whoever connects names a workload
(`mwe1 | u8 length | name`) and is joined to the task of that name, at that one port. All that follows is between the
two, who prove to each other that they know the replica's token, which is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import ssl
import sys

MAGIC = b"mwe1"
# `<workload id>-<fence>`: no other name is looked up for a stranger.
NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{1,19}")
GREETING_SECONDS = 10.0
REACH_SECONDS = 4.0
PAUSE_SECONDS = 0.2
CHUNK = 65536
MOST = 2000
# A machine that lost its power says nothing: after so long without an acknowledgement its connection is given up.
SILENCE_SECONDS = 10
KEEPALIVE = ((socket.TCP_KEEPIDLE, 4), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))


class Entrance:
    """Joins connections; what comes while `most` are open is closed unheard. With `tls` they are encrypted."""

    def __init__(self, port: int, most: int = MOST, tls: ssl.SSLContext | None = None) -> None:
        self._port, self._most, self._tls, self._open = port, most, tls, 0
        self._joins: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Until cancelled. Who has not finished the greeting of TLS yet counts among the open ones, too."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # Out of descriptors: some come back.
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if self._open >= self._most:
                connection.close()
                continue
            self._open += 1
            join = loop.create_task(self._join(connection))
            self._joins.add(join)
            join.add_done_callback(self._joins.discard)

    async def _join(self, connection: socket.socket) -> None:
        """One connection, from its first byte to its last."""
        writer = None
        try:
            reader, writer = await streams(connection, self._tls)
            await self._lead(reader, writer)
        except (TimeoutError, asyncio.TimeoutError, OSError, asyncio.IncompleteReadError):  # noqa: UP041 - Python 3.8
            pass  # Whoever asked sees a closed connection, and asks again.
        finally:
            self._open -= 1
            (writer or connection).close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = await asyncio.wait_for(wanted(reader), GREETING_SECONDS)
        if name is not None:
            # A name has the address of each of its tasks, also of one whose machine has just died.
            far = asyncio.open_connection(name, self._port, happy_eyeballs_delay=0.3)
            far_reader, far_writer = await asyncio.wait_for(far, REACH_SECONDS)
            with contextlib.closing(far_writer):
                await both_ways((reader, writer), (far_reader, far_writer))


async def streams(
    connection: socket.socket, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Of a connection that was accepted, once both ends have agreed on how they encrypt. Raises OSError."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    seconds = GREETING_SECONDS if tls else None
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, connection, ssl=tls, ssl_handshake_timeout=seconds
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


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


def encrypting(certificate: str) -> ssl.SSLContext:
    """Raises OSError, also for a key that does not belong to the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    return context


async def serve(listen: int, port: int, certificate: str = "") -> None:
    """Until SIGTERM."""
    listener = socket.create_server(("0.0.0.0", listen), backlog=128)  # noqa: S104 - in a network of its own
    listener.setblocking(False)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    await Entrance(port, tls=encrypting(certificate) if certificate else None).serve(listener)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))

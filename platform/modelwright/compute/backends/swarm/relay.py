"""Program of the one service that stands between the tasks' closed network and this installation: passes bytes on.

`python3 -I -S relay.py LISTEN-PORT HOST PORT`, on an image's own Python. Tasks reach that one address and no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

CHUNK = 65536
WAIT_SECONDS = 10.0


async def serve(listen: int, host: str, port: int) -> None:
    """Until SIGTERM."""

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.wait_for(asyncio.open_connection(host, port), WAIT_SECONDS)
        except (TimeoutError, OSError):
            writer.close()
            return
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        for end in (writer, far_writer):
            end.close()

    await asyncio.start_server(join, "0.0.0.0", listen)  # noqa: S104 - in a network of its own
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    await asyncio.Event().wait()


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """One direction, until its sender ends it."""
    with contextlib.suppress(OSError):
        while True:
            data = await source.read(CHUNK)
            if not data:
                break
            target.write(data)
            await target.drain()
    with contextlib.suppress(OSError):
        if target.can_write_eof():
            target.write_eof()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

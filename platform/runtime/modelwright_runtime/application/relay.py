"""Hands connections of a Unix socket on to a port of this machine, both ways, as fast as either side reads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

PIECE_BYTES = 64 * 1024
LOOK_SECONDS = 0.1


async def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def serve(path: Path, host: str, port: int) -> asyncio.AbstractServer:
    """Wait until the port answers, then listen at `path`: whoever can connect there reaches the application."""
    while not await listens(host, port):
        await asyncio.sleep(LOOK_SECONDS)

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_pass_on(reader, there_writer), _pass_on(there_reader, writer))
        finally:
            writer.close()
            there_writer.close()

    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return await asyncio.start_unix_server(join, path)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end of `reader`, which `writer` is told."""
    try:
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()

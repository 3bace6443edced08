"""Connections to workloads of other hosts: each begins with a proof to their host's bridge, and one from it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar, cast

from modelwright_runtime.handshake import Asking, HandshakeError

from modelwright.core.far_peers import notice_silence, place_of

SCHEME = "bridge://"
Made = TypeVar("Made", bound=asyncio.Protocol)


async def connect(factory: Callable[[], Made], target: str, token: str, tls: ssl.SSLContext | None) -> Made:
    """A protocol of the factory, connected to the workload behind `bridge://host:port/<workload>`.

    `token` is that workload's own; `tls` says whose certificates are believed. Raises OSError.
    """
    host, port, name = parse(target)
    loop = asyncio.get_running_loop()
    try:
        introduction = _Introduction(Asking.by_own(token, name))
    except HandshakeError as error:
        raise OSError(str(error)) from error
    transport, _ = await loop.create_connection(lambda: introduction, host, port, ssl=tls)
    try:
        notice_silence(transport.get_extra_info("socket"))
        await introduction.done
    except BaseException:
        transport.abort()
        raise
    protocol = factory()
    # The workload waits to be asked, so that nothing can have come in between.
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return protocol


def parse(target: str) -> tuple[str, int, str]:
    """Host, port and workload. Raises OSError for what is no such address."""
    if not target.startswith(SCHEME):
        raise OSError("it is neither on this host nor behind a bridge")
    try:
        return place_of(target)
    except ValueError as error:
        raise OSError(f"it is no address: {error}") from error


class _Introduction(asyncio.Protocol):
    """The connection until both sides have proved who they are."""

    def __init__(self, side: Asking) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._side = side
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            words = self._side.feed(data)
        except HandshakeError as error:
            self._fail(str(error))
            return
        if words and self._transport is not None:
            self._transport.write(words)
        if self._side.is_done and self._side.rest:
            self._fail("it speaks before it was asked")
        elif self._side.is_done and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(str(exc) if exc else "it closed the connection")

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(OSError(why))

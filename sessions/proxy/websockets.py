"""One WebSocket of a browser and one to the workload, joined: each message goes on before the next is read."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

from sessions.proxy import headers
from sessions.proxy.admitting import Admitted
from sessions.proxy.http import NoAnswer, address
from sessions.proxy.site import Site

# A browser that says nothing for two of these is gone.
HEARTBEAT_SECONDS = 30.0
CLOSE_SECONDS = 2.0
NOT_ALLOWED = 4403
GOING_AWAY = 1001

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse
_SPOKEN = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


def is_websocket(request: web.BaseRequest) -> bool:
    """Whether the request asks for a WebSocket."""
    upgrade = request.headers.get("Upgrade", "").strip().lower()
    connection = [part.strip().lower() for part in request.headers.get("Connection", "").split(",")]
    return request.method == "GET" and upgrade == "websocket" and "upgrade" in connection


class Refusal(Exception):
    """The workload wants no WebSocket there; `status` is its answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the workload answered {status}")
        self.status = status


async def relay(
    client: aiohttp.ClientSession,
    request: web.BaseRequest,
    admitted: Admitted,
    site: Site,
    *,
    message_bytes: int,
    ended: asyncio.Future[tuple[int, str]],
) -> web.WebSocketResponse:
    """Join them until one side closes, or until `ended` gives a code and words to close with.

    Raises NoAnswer or Refusal before anything was answered.
    """
    sent = headers.to_workload(
        request.headers, site=site, peer=request.remote or "", user=admitted.user, is_websocket=True
    )
    try:
        there = await client.ws_connect(
            address(admitted.entry.key, request.raw_path),
            headers=sent,
            protocols=_protocols(request),
            max_msg_size=message_bytes,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )
    except aiohttp.WSServerHandshakeError as error:
        raise Refusal(error.status) from error
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        raise NoAnswer(str(error)) from error
    async with there:
        here = web.WebSocketResponse(
            protocols=(there.protocol,) if there.protocol else (),
            heartbeat=HEARTBEAT_SECONDS,
            max_msg_size=message_bytes,
            compress=False,
            timeout=CLOSE_SECONDS,
        )
        await here.prepare(request)
        await _join(here, there, ended)
        return here


async def _join(
    here: web.WebSocketResponse,
    there: aiohttp.ClientWebSocketResponse,
    ended: asyncio.Future[tuple[int, str]],
) -> None:
    ways = [asyncio.ensure_future(_pass_on(here, there)), asyncio.ensure_future(_pass_on(there, here))]
    over: list[asyncio.Future[Any]] = [*ways, ended]
    try:
        await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    if ended.done() and not ended.cancelled():
        code, words = ended.result()
    else:
        code, words = _told(there.close_code if there.closed else here.close_code), ""
    # Either may be closed already, and closing twice does nothing.
    with suppress(ConnectionError, RuntimeError):
        await here.close(code=code, message=words.encode())
    with suppress(ConnectionError, RuntimeError):
        await there.close(code=code)


async def _pass_on(of: Socket, to: Socket) -> None:
    """Until `of` is closed or `to` takes nothing any more."""
    with suppress(ConnectionError):
        while True:
            message = await of.receive()
            if message.type is WSMsgType.TEXT:
                await to.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await to.send_bytes(message.data)
            else:
                return


def _told(code: int | None) -> int:
    """A close code that may be sent: the other side's own, or that it went away."""
    if code is None:
        return GOING_AWAY
    return code if code in _SPOKEN or 3000 <= code < 5000 else 1011


def _protocols(request: web.BaseRequest) -> tuple[str, ...]:
    named = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return tuple(part.strip() for part in named.split(",") if part.strip())

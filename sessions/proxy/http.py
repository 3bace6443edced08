"""One request to a workload and its answer back, both streamed: neither side is read faster than the other takes it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from sessions.proxy import headers
from sessions.proxy.admitting import Admitted
from sessions.proxy.site import Site

_BODILESS = frozenset({204, 304})
FIRST_FINAL = 200


class TooLarge(Exception):
    """The body is larger than may be sent."""


class NoAnswer(Exception):
    """The workload did not answer, or not with HTTP."""


def address(key: str, raw_path: str) -> URL:
    """The address of a request for the client of workloads; nothing of the path is understood or changed."""
    return URL(f"http://{key}{raw_path}", encoded=True)


async def relay(
    client: aiohttp.ClientSession, request: web.BaseRequest, admitted: Admitted, site: Site, *, body_bytes: int
) -> web.StreamResponse:
    """Ask the workload and hand on what it answers. Raises NoAnswer or TooLarge before anything was answered."""
    if (request.content_length or 0) > body_bytes:
        raise TooLarge
    sent = headers.to_workload(request.headers, site=site, peer=request.remote or "", user=admitted.user)
    body = _body(request, body_bytes) if request.can_read_body else None
    if body is not None and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    try:
        answer = await client.request(
            request.method,
            address(admitted.entry.key, request.raw_path),
            headers=sent,
            data=body,
            allow_redirects=False,
        )
    except aiohttp.ClientConnectionError as error:
        if isinstance(error.__cause__, TooLarge):
            raise TooLarge from error
        raise NoAnswer(str(error)) from error
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        raise NoAnswer(str(error)) from error
    async with answer:
        if answer.status < FIRST_FINAL:
            # What comes after "switching protocols" would be no answer of ours to whoever stands in front.
            raise NoAnswer(f"it answered {answer.status}")
        return await _hand_on(request, answer, admitted)


async def _body(request: web.BaseRequest, most: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > most:
            raise TooLarge
        yield piece


async def _hand_on(request: web.BaseRequest, answer: aiohttp.ClientResponse, admitted: Admitted) -> web.StreamResponse:
    kept: CIMultiDict[str] = headers.to_browser(answer.headers, is_public=admitted.entry.is_public)
    response = web.StreamResponse(status=answer.status, reason=_plain(answer.reason), headers=kept)
    has_body = request.method != "HEAD" and answer.status not in _BODILESS
    if has_body and "Content-Length" not in kept:
        response.enable_chunked_encoding()
    await response.prepare(request)
    if not has_body:
        await response.write_eof()
        return response
    try:
        async for piece in answer.content.iter_any():
            await response.write(piece)
    except aiohttp.ClientError:
        # The browser must see that the answer is not whole.
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


def _plain(reason: str | None) -> str | None:
    return reason if reason is not None and reason.isprintable() else None

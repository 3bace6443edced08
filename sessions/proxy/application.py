"""What the proxy answers to each request: a notice of its own, or what the workload behind the key says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

import aiohttp
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sessions.proxy import http, rules, websockets
from sessions.proxy.admitting import Admitted, Door, Refused
from sessions.proxy.http import NoAnswer, TooLarge
from sessions.proxy.pages import Notice, answer
from sessions.proxy.passages import Limits, Passage, Passages, TooMany
from sessions.proxy.site import Site
from sessions.proxy.watching import Watcher
from sessions.table import Entry, EntryState

logger = logging.getLogger(__name__)

ENTER = "/_enter"
SWEEP_SECONDS = 1.0
# A connection that has asked for nothing after so long is closed.
FIRST_REQUEST_SECONDS = 20.0
AGAIN_SECONDS = 2.0
DRAIN_SECONDS = 3.0
LONGEST_LINE = 16 * 1024


class Proxy:
    """One proxy: `handle` is aiohttp's handler for every request."""

    def __init__(self, site: Site, door: Door, watcher: Watcher, client: aiohttp.ClientSession, limits: Limits) -> None:
        self._site, self._door, self._watcher, self._client, self._limits = site, door, watcher, client, limits
        self.passages = Passages(limits)
        self.counts: Counter[str] = Counter()
        # Connections that have asked for nothing yet.
        self.silent: dict[object, asyncio.TimerHandle] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if (timer := self.silent.pop(request.protocol, None)) is not None:
            timer.cancel()
        self.counts["requests"] += 1
        try:
            key = self._key(request)
            return self._own(request) if key is None else await self._of(request, self._door.entry(key))
        except Refused as refused:
            self.counts["refused"] += 1
            return self._tell(request, refused.notice)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            logger.exception("a request failed")
            self.counts["failed"] += 1
            return self._tell(request, _FAILED)

    def sweep(self) -> None:
        """Break off what goes to entries that are gone, or is of people who may not be there any more."""
        now = time.time()

        def may_stay(passage: Passage) -> bool:
            return self._door.may_stay(self._watcher.entries.get(passage.key), passage.given, now)

        if gone := self.passages.end_all_but(may_stay, websockets.NOT_ALLOWED, "You may not be here any longer"):
            self.counts["broken off"] += gone
            logger.info("broke off %d of people who may not be there any longer", gone)

    async def leave(self) -> None:
        """Tell all WebSockets that the proxy goes away, so that browsers come back at once; give the rest a moment."""
        self.passages.end_websockets(websockets.GOING_AWAY, "The proxy starts anew")
        for _ in range(int(DRAIN_SECONDS / 0.02)):
            if not self.passages.count:
                return
            await asyncio.sleep(0.02)

    def _key(self, request: web.BaseRequest) -> str | None:
        """Raises Refused for what is no request for one host and path."""
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not request.raw_path.startswith("/"):
            raise Refused(
                Notice(400, "This request makes no sense", "It must name one host and a path.", "Open the page again.")
            )
        return self._site.key_of(hosts[0])

    def _own(self, request: web.BaseRequest) -> web.Response:
        """What is asked of the proxy itself, not of a key."""
        if request.path == "/health/live":
            return web.json_response({"status": "ok"})
        if request.path == "/health/ready":
            state = {
                "status": "ok" if not self._watcher.error else "degraded",
                "error": self._watcher.error,
                "seen": self._watcher.seen,
                "entries": len(self._watcher.entries),
                "passages": self.passages.count,
                **{name.replace(" ", "_"): count for name, count in self.counts.items()},
            }
            return web.json_response(state)
        raise Refused(
            Notice(
                404,
                "Nothing is here",
                "Sessions and applications have addresses of their own.",
                "Open one from the pages of its project.",
            )
        )

    async def _of(self, request: web.BaseRequest, entry: Entry) -> web.StreamResponse:
        if request.path == ENTER and request.method == "GET":
            return await self._door.enter(entry, request.query.get("ticket", ""))
        is_websocket = websockets.is_websocket(request)
        self._check_origin(request, entry, is_websocket)
        admitted = self._door.admit(request, entry)
        if entry.state is EntryState.STARTING:
            raise Refused(_starting(entry))
        if not entry.target:
            raise Refused(_out_of_reach(entry))
        try:
            if is_websocket:
                return await self._websocket(request, admitted)
            return await self._http(request, admitted)
        except TooMany:
            raise Refused(_too_many(entry)) from None
        except TooLarge:
            raise Refused(_too_large(self._limits.body_bytes)) from None
        except NoAnswer as error:
            logger.info("%s does not answer: %s", entry.key, error)
            raise Refused(_no_answer(entry)) from error

    def _check_origin(self, request: web.BaseRequest, entry: Entry, is_websocket: bool) -> None:
        origin = f"{self._site.scheme}://{request.headers['Host']}"
        foreign = rules.foreign(
            request.headers,
            origin=origin,
            method=request.method,
            is_websocket=is_websocket,
            is_public=entry.is_public,
        )
        if foreign is not None:
            logger.info("refused a request for %s: %s", entry.key, foreign.why)
            raise Refused(
                Notice(
                    403,
                    "Refused",
                    f"This request is not from a page of this address: {foreign.why}.",
                    "Open this address itself, from the platform.",
                    self._door.link(entry),
                )
            )

    async def _http(self, request: web.BaseRequest, admitted: Admitted) -> web.StreamResponse:
        def end(_code: int, _words: str) -> None:
            # The handler is ended with its connection.
            if request.transport is not None:
                request.transport.abort()

        with self.passages.one(admitted, end, is_websocket=False):
            return await http.relay(self._client, request, admitted, self._site, body_bytes=self._limits.body_bytes)

    async def _websocket(self, request: web.BaseRequest, admitted: Admitted) -> web.StreamResponse:
        ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

        def end(code: int, words: str) -> None:
            if not ended.done():
                ended.set_result((code, words))

        with self.passages.one(admitted, end, is_websocket=True):
            try:
                return await websockets.relay(
                    self._client,
                    request,
                    admitted,
                    self._site,
                    message_bytes=self._limits.message_bytes,
                    ended=ended,
                )
            except websockets.Refusal as refusal:
                status = refusal.status if 400 <= refusal.status < 600 else 502
                return web.Response(status=status, text=f"{refusal}\n")

    def _tell(self, request: web.BaseRequest, notice: Notice) -> web.Response:
        accepts = request.headers.get("Accept", "")
        is_page = "text/html" in accepts and not websockets.is_websocket(request)
        response = answer(notice, wants_page=is_page)
        if request.can_read_body:
            # What nobody reads must not be taken for the next request.
            response.force_close()
        return response


_FAILED = Notice(
    500,
    "The proxy failed",
    "A fault of the proxy kept this request from what it was for.",
    "Try it again; if it stays so, tell an administrator, who finds more in the log of the proxy.",
)


def _starting(entry: Entry) -> Notice:
    return Notice(
        503,
        f"{entry.title} is starting",
        "It is being prepared and will be here in a moment.",
        "This page looks again by itself.",
        again_after=AGAIN_SECONDS,
    )


def _out_of_reach(entry: Entry) -> Notice:
    return Notice(
        502,
        f"{entry.title} is out of reach",
        "It runs on a host that has joined without an address at which others reach it.",
        "What is saved in it is on its page. An administrator can have the host join anew with --address.",
    )


def _no_answer(entry: Entry) -> Notice:
    return Notice(
        502,
        f"{entry.title} does not answer",
        "It runs, but nobody answers at its socket: it may have just ended, or not listen yet.",
        "This page looks again by itself. If this stays so, see its log on the page of its project.",
        again_after=AGAIN_SECONDS,
    )


def _too_many(entry: Entry) -> Notice:
    return Notice(
        503,
        "Too much at once",
        f"There are as many requests to {entry.title} as may be at once.",
        "Close pages of it that you do not need, and try again.",
    )


def _too_large(most: int) -> Notice:
    return Notice(
        413,
        "Too large",
        f"What was sent is larger than {most // 1024**2} MiB.",
        "Send it in smaller parts, or put large data where a data connection reaches it.",
    )


def connections(proxy: Proxy) -> Callable[[], asyncio.Protocol]:
    """What makes aiohttp's protocol for each connection.

    It decodes nothing, ends a request whose client is gone, and closes a connection that asks for nothing.
    """
    made = web.Server(
        proxy.handle,
        handler_cancellation=True,
        auto_decompress=False,
        access_log=None,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )

    def one() -> asyncio.Protocol:
        protocol = made()
        loop = asyncio.get_running_loop()
        proxy.silent[protocol] = loop.call_later(FIRST_REQUEST_SECONDS, close_silent, protocol)
        return protocol

    def close_silent(protocol: RequestHandler) -> None:
        proxy.silent.pop(protocol, None)
        if protocol.transport is not None:
            protocol.transport.close()

    return one

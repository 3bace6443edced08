"""The tracking address: a raw ASGI proxy that lets through what an MLflow client needs, and nothing else.

It finds out whose token it is, forces the project's workspace, and passes bodies on in pieces.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any
from uuid import UUID

import aiohttp

from jobs.tracking.allowlist import FILES, Body, Route, find_route
from jobs.tracking.bodies import rewrite
from jobs.tracking.identity import PROJECT_HEADER, Identity, identify
from jobs.tracking.upstream import WORKSPACE_HEADER, Upstream
from modelwright.core.bodies import BodyTooLarge
from modelwright.core.errors import PlatformError, Unavailable

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Identify = Callable[[str, str], Identity]
Guard = Callable[[str, str], None]
Note = Callable[[UUID, str, str, str], None]
Headers = Iterable[tuple[bytes, bytes]]

PREFIX = "/mlflow"
MAX_JSON_BYTES = 32 * 1024 * 1024
MAX_ARTIFACT_BYTES = 20 * 1024**3
SERVER_INFO = "/api/3.0/mlflow/server-info"
# A person's client names the project in its tracking address, because MLflow's client cannot send a header of our own.
_OF_PROJECT = re.compile(r"/projects/([0-9a-fA-F-]{36})(?=/)")

_PASSED_UP = frozenset({b"accept", b"accept-encoding", b"content-type", b"range", b"user-agent"})
_PASSED_DOWN = frozenset(
    {"content-type", "content-length", "content-encoding", "content-disposition", "content-range", "etag"}
)
# MLflow's client repeats a call after 408, 429 and 5xx; the codes are those of its own exceptions.
_ERROR_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    413: "INVALID_PARAMETER_VALUE",
    422: "INVALID_PARAMETER_VALUE",
    503: "TEMPORARILY_UNAVAILABLE",
}
_SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cache-control", b"no-store"),
]


class ClientGone(Exception):
    """The client hung up in the middle of its request."""


class TrackingProxy:
    """The ASGI application below `/mlflow`.

    `identify_caller(token, project id)`, `guard_artifact(workspace, path)` and `note_artifact(run id, workspace,
    method, path)`, which is told of each artifact that a run fetched or sent, may block; they run in threads.
    """

    def __init__(
        self,
        upstream: Upstream,
        *,
        identify_caller: Identify = identify,
        guard_artifact: Guard | None = None,
        note_artifact: Note | None = None,
        executor: Executor | None = None,
    ) -> None:
        self._upstream = upstream
        self._identify = identify_caller
        self._guard = guard_artifact
        self._note = note_artifact
        self._executor = executor or ThreadPoolExecutor(8, thread_name_prefix="tracking")

    async def close(self) -> None:
        """Close the connections to MLflow."""
        await self._upstream.close()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request. An answer that has begun and cannot be finished is cut off by raising."""
        began = False

        async def tell(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._answer(scope, receive, tell)
        except PlatformError as error:
            await _send_error(send, error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("MLflow does not answer: %s: %s", type(error).__name__, error)
            if began:
                raise
            await _send_error(send, _unavailable())
        except ClientGone:
            logger.info("A tracking client hung up during its request")

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        headers = list(scope["headers"])
        method, (project_id, path) = scope["method"], _address(scope)
        token, named = _credentials(headers)
        identity = await self._in_thread(self._identify, token, project_id or named)
        route = find_route(method, path)
        identity.require(route.access)
        await self._upstream.ensure_workspace(identity.workspace)
        if path == SERVER_INFO:
            await self._server_info(send)
            return
        if route.body is Body.STREAM and self._guard is not None:
            await self._in_thread(self._guard, identity.workspace, path)
        body = await _body(route, identity, receive, headers)
        query = "" if route.body is Body.CHECKED else scope["query_string"].decode("latin-1")
        up = {**_headers_up(headers), WORKSPACE_HEADER: identity.workspace}
        if route.body is Body.CHECKED:
            up["content-type"] = "application/json"
        url = self._upstream.url(path, query)
        async with self._upstream.session().request(
            method, url, data=body, headers=up, allow_redirects=False
        ) as response:
            if self._note and identity.run_id and response.ok and path.startswith(f"{FILES}/"):
                await self._in_thread(self._note, identity.run_id, identity.workspace, method, path)
            await _pass_down(response, send)

    async def _server_info(self, send: Send) -> None:
        """MLflow's own answer without the mention of workspaces, which would make the client ask for them."""
        async with self._upstream.session().get(self._upstream.url(SERVER_INFO, "")) as response:
            if response.status != 200:
                raise _unavailable()
            info = {**json.loads(await response.read()), "workspaces_enabled": False}
        await _send_json(send, 200, info)

    async def _in_thread(self, function: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


def _address(scope: MutableMapping[str, Any]) -> tuple[str, str]:
    """The project that the path names (`/mlflow/projects/<id>/…`, empty for none) and MLflow's own raw path."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw.partition(b"?")[0].decode("latin-1").removeprefix(PREFIX)
    match = _OF_PROJECT.match(path)
    return (match[1], path[match.end() :]) if match else ("", path)


def _credentials(headers: Headers) -> tuple[str, str]:
    values = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    scheme, _, token = values.get(b"authorization", "").partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else ""), values.get(PROJECT_HEADER.lower().encode(), "")


def _headers_up(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name.lower() in _PASSED_UP}


async def _body(
    route: Route, identity: Identity, receive: Receive, headers: Headers
) -> bytes | AsyncIterator[bytes] | None:
    if route.body is Body.NONE:
        return None
    if route.body is Body.STREAM:
        _check_length(headers, MAX_ARTIFACT_BYTES)
        return _pieces(receive, MAX_ARTIFACT_BYTES)
    _check_length(headers, MAX_JSON_BYTES)
    body = b"".join([piece async for piece in _pieces(receive, MAX_JSON_BYTES)])
    return rewrite(route.check, body, identity.stamp) if route.body is Body.CHECKED else body


def _check_length(headers: Headers, limit: int) -> None:
    """Refuse at once what says itself that it is too large."""
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(limit)


async def _pieces(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        size, more = size + len(piece), message.get("more_body", False)
        if size > limit:
            raise _too_large(limit)
        if piece:
            yield piece


async def _pass_down(response: aiohttp.ClientResponse, send: Send) -> None:
    kept = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers.items()
        if name.lower() in _PASSED_DOWN
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": kept + _SAFE_HEADERS})
    async for piece in response.content.iter_any():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_json(send: Send, status: int, value: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json"), *_SAFE_HEADERS]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="modelwright"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


async def _send_error(send: Send, error: PlatformError) -> None:
    """MLflow's own form of an error, which its client shows as `CODE: message`."""
    text = f"{error.message} {error.remedy}".strip()
    await _send_json(send, error.status, {"error_code": _ERROR_CODES.get(error.status, "BAD_REQUEST"), "message": text})


def _too_large(limit: int) -> BodyTooLarge:
    size = f"{limit // 1024**2} MiB" if limit < 1024**3 else f"{limit // 1024**3} GiB"
    return BodyTooLarge(f"The body is larger than {size}.", remedy="Send less at once, or split the file.")


def _unavailable() -> Unavailable:
    return Unavailable("The tracking server does not answer at the moment.", remedy="Try again in a few seconds.")

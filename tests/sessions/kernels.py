"""Runs cells in a JupyterLab on a Unix socket, as its page does: REST for the kernel, a WebSocket for its channels."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

SECONDS = 180
LAST_WORDS_SECONDS = 20


def run_cell(socket: Path, code: str) -> str:
    """What the cell printed, or the error that it ended with, in a kernel of its own that goes on."""
    return asyncio.run(asyncio.wait_for(_run(socket, code, is_awaited=True), SECONDS))


def begin_cell(socket: Path, code: str) -> None:
    """Begin a cell, and leave it at work."""
    asyncio.run(asyncio.wait_for(_run(socket, code, is_awaited=False), SECONDS))


def run_cell_at(url: str, headers: dict[str, str], cookies: dict[str, str], code: str) -> str:
    """The same by way of an address, with the headers and cookies that a browser would bring."""

    async def go() -> str:
        jar = aiohttp.CookieJar(unsafe=True)
        jar.update_cookies(cookies)
        async with aiohttp.ClientSession(url, cookie_jar=jar, headers=headers) as http:
            return await _run_by(http, jar, code, is_awaited=True)

    return asyncio.run(asyncio.wait_for(go(), SECONDS))


def type_lines(socket: Path, *lines: str) -> str:
    """Type lines into a new terminal, one after what the line before printed; what stands there at the end.

    Each line has to print a word that the line itself does not have: `echo a''b` prints `ab`.
    """
    return asyncio.run(asyncio.wait_for(_type(socket, lines), SECONDS))


async def _type(socket: Path, lines: tuple[str, ...]) -> str:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(
        "http://localhost", connector=aiohttp.UnixConnector(str(socket)), cookie_jar=jar
    ) as http:
        token = await _token(http, jar)
        async with http.post("/api/terminals", headers={"X-XSRFToken": token}) as made:
            made.raise_for_status()
            name = (await made.json())["name"]
        shown = ""
        async with http.ws_connect(f"/terminals/websocket/{name}") as terminal:
            for line in lines:
                await terminal.send_str(json.dumps(["stdin", f"{line}\r"]))
                printed = line.removeprefix("echo ").replace("''", "")
                while printed not in shown:
                    kind, *rest = json.loads((await terminal.receive()).data)
                    shown += rest[0] if kind == "stdout" else ""
    return shown


async def _token(http: aiohttp.ClientSession, jar: aiohttp.CookieJar) -> str:
    async with http.get("/lab") as page:
        page.raise_for_status()
    return next(cookie.value for cookie in jar if cookie.key == "_xsrf")


async def _run(socket: Path, code: str, *, is_awaited: bool) -> str:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(
        "http://localhost", connector=aiohttp.UnixConnector(str(socket)), cookie_jar=jar
    ) as http:
        return await _run_by(http, jar, code, is_awaited=is_awaited)


async def _run_by(http: aiohttp.ClientSession, jar: aiohttp.CookieJar, code: str, *, is_awaited: bool) -> str:
    token = await _token(http, jar)
    async with http.post("/api/kernels", json={"name": "python3"}, headers={"X-XSRFToken": token}) as made:
        made.raise_for_status()
        kernel = (await made.json())["id"]
    said: list[str] = []
    # What it prints, and that it is idle again after it, come on another channel than the reply; idle may be lost.
    is_replied = is_idle = False
    with suppress(TimeoutError):
        async with http.ws_connect(f"/api/kernels/{kernel}/channels") as channel, asyncio.timeout(None) as patience:
            request = _request(code)
            await channel.send_str(json.dumps(request))
            async for message in channel:
                if not is_awaited and _is(message, "execute_input"):
                    break
                value = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
                content = value.get("content", {})
                if value.get("msg_type") == "stream":
                    said.append(content["text"])
                if value.get("msg_type") == "error":
                    said.append(f"{content['ename']}: {content['evalue']}")
                if value.get("msg_type") == "execute_reply":
                    is_replied = True
                    patience.reschedule(asyncio.get_running_loop().time() + LAST_WORDS_SECONDS)
                is_its = value.get("parent_header", {}).get("msg_id") == request["header"]["msg_id"]
                is_idle |= is_its and content.get("execution_state") == "idle"
                if is_replied and is_idle:
                    break
    return "".join(said)


def _is(message: Any, kind: str) -> bool:
    return message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data).get("msg_type") == kind


def _request(code: str) -> dict[str, Any]:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": uuid.uuid4().hex,
        "username": "tests",
        "version": "5.3",
        "date": "2026-01-01T00:00:00Z",
    }
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }

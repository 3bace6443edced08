"""`python -m tests.sessions.upstream SOCKET`: a workload as somebody's application might be, nasty too."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import WSMsgType, web

MIB = 1024 * 1024
seen: dict[str, int] = {"taken": 0, "sent": 0, "broken": 0}
wanted = asyncio.Semaphore(0)


async def echo(request: web.Request) -> web.Response:
    """What arrived, as it arrived."""
    body = await request.read()
    headers = [[name.decode(), value.decode("latin-1")] for name, value in request.raw_headers]
    return web.json_response(
        {"method": request.method, "path": request.raw_path, "headers": headers, "body": body.decode("latin-1")}
    )


async def cookies(request: web.Request) -> web.Response:
    """Cookies that a workload would like to set."""
    response = web.Response(text="cookies")
    for value in (
        "plain=1; Path=/",
        "wide=1; Domain=localhost; Path=/; HttpOnly",
        "modelwright_pass=stolen; Path=/",
        "__Host-modelwright_pass=stolen; Path=/; Secure",
        "modelwright_login=stolen; Domain=.localhost",
        "=modelwright_pass=nameless",
    ):
        response.headers.add("Set-Cookie", value)
    response.headers["Clear-Site-Data"] = '"cookies"'
    response.headers["Alt-Svc"] = 'h3="evil.example:443"'
    response.headers["X-Own"] = "kept"
    response.headers["Connection"] = "X-Own-Hop"
    response.headers["X-Own-Hop"] = "dropped"
    return response


async def pieces(request: web.Request) -> web.StreamResponse:
    """Three pieces; each but the first is made when `/next` is asked for."""
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(3):
        await response.write(f"{number}\n".encode())
        await wanted.acquire()
    return response


async def next_piece(request: web.Request) -> web.Response:
    """Have the next piece made."""
    wanted.release()
    return web.Response(text="told")


async def endless(request: web.Request) -> web.StreamResponse:
    """As much as anybody takes; counts what was sent."""
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(bytes(MIB))
            seen["sent"] += MIB
    finally:
        seen["broken"] += 1


async def swallow(request: web.Request) -> web.Response:
    """Take a body slowly; counts what was taken."""
    async for piece in request.content.iter_chunked(64 * 1024):
        seen["taken"] += len(piece)
        await asyncio.sleep(0.05)
    return web.Response(text="taken")


async def broken(request: web.Request) -> web.StreamResponse:
    """An answer that ends before it is whole."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.abort()
    return response


async def huge(request: web.Request) -> web.Response:
    """A header that is too large."""
    return web.Response(text="huge", headers={"X-Huge": "h" * 100_000})


async def count(request: web.Request) -> web.Response:
    """What was seen until now."""
    return web.json_response(seen)


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Says back what it hears; `close` and `die` are taken at their word."""
    response = web.WebSocketResponse(protocols=("v1.kernel.websocket.jupyter.org",), max_msg_size=0)
    await response.prepare(request)
    async for message in response:
        if message.type is WSMsgType.BINARY:
            await response.send_bytes(message.data)
        elif message.data == "close":
            await response.close(code=4321, message=b"as you wish")
        elif message.data == "die":
            assert request.transport is not None
            request.transport.abort()
        else:
            await response.send_str(message.data)
    return response


async def no_socket(request: web.Request) -> web.Response:
    """Wants no WebSocket."""
    raise web.HTTPForbidden(text="no")


async def answer_raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that is framed in two ways, so that a proxy and a browser could disagree about its end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden"
    )
    await writer.drain()
    writer.close()


async def serve(path: str) -> None:
    """Until it is killed."""
    app = web.Application(client_max_size=64 * MIB)
    app.router.add_get("/cookies", cookies)
    app.router.add_get("/pieces", pieces)
    app.router.add_get("/next", next_piece)
    app.router.add_get("/endless", endless)
    app.router.add_post("/swallow", swallow)
    app.router.add_get("/broken", broken)
    app.router.add_get("/huge", huge)
    app.router.add_get("/count", count)
    app.router.add_get("/socket", socket)
    app.router.add_get("/no-socket", no_socket)
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, auto_decompress=False)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    await asyncio.start_unix_server(answer_raw, f"{path}-raw")
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))

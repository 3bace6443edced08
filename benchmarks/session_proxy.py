"""What the proxy of sessions costs: a round trip of a WebSocket, a megabyte each way, and WebSockets that say nothing.

    uv run python -m benchmarks.session_proxy [--turns 2000] [--megabytes 200] [--idle 50] [--seconds 30]

Starts a workload that says back what it hears on a Unix socket, and a proxy in front of it, each a process of its own;
asks the workload itself and through the proxy in turns, and prints medians and the processor time that the proxy took.
The messages of a round trip are as large as those that run a cell of a notebook (1.2 kB).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import psutil
from aiohttp import web

from sessions import logins, table
from sessions.proxy.headers import cookie_name
from sessions.proxy.site import site
from sessions.table import Entry, EntryState
from sessions.tickets import Pass, sign_pass

KEY, PERSON, LOGIN, SECRET = "k", "person", "login", "the key of a benchmark"
MIB = 1024 * 1024
MESSAGE = "x" * 1200
ROUNDS = 5


async def _echo(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse(compress=False)
    await response.prepare(request)
    async for message in response:
        await response.send_str(message.data)
    return response


async def _give(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(int(request.query["mib"])):
        await response.write(bytes(MIB))
    return response


async def _take(request: web.Request) -> web.Response:
    async for _ in request.content.iter_any():
        pass
    return web.Response()


async def _nothing(_: web.Request) -> web.Response:
    return web.Response()


async def serve(path: str) -> None:
    """The workload, until it is ended."""
    app = web.Application()
    app.router.add_get("/echo", _echo)
    app.router.add_get("/give", _give)
    app.router.add_put("/take", _take)
    app.router.add_get("/", _nothing)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    print("listening", flush=True)
    await asyncio.Event().wait()


class Way:
    """A way to the workload: straight, or through the proxy."""

    def __init__(self, url: str, connector: aiohttp.BaseConnector, headers: dict[str, str]) -> None:
        self.http = aiohttp.ClientSession(
            url, connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=600)
        )

    async def round_trips(self, count: int) -> float:
        """Seconds of one, in the median."""
        times = []
        async with self.http.ws_connect("/echo") as channel:
            for _ in range(count):
                began = time.perf_counter()
                await channel.send_str(MESSAGE)
                await channel.receive()
                times.append(time.perf_counter() - began)
        return statistics.median(times)

    async def requests(self, count: int) -> float:
        """Seconds of a small request, in the median."""
        times = []
        for _ in range(count):
            began = time.perf_counter()
            async with self.http.get("/") as answer:
                await answer.read()
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    async def down(self, mib: int) -> float:
        """Seconds of a megabyte from the workload."""
        began = time.perf_counter()
        async with self.http.get(f"/give?mib={mib}") as answer:
            async for _ in answer.content.iter_any():
                pass
        return (time.perf_counter() - began) / mib

    async def up(self, mib: int) -> float:
        """Seconds of a megabyte to the workload."""

        async def pieces() -> object:
            for _ in range(mib):
                yield bytes(MIB)

        began = time.perf_counter()
        async with self.http.put("/take", data=pieces()) as answer:
            answer.raise_for_status()
        return (time.perf_counter() - began) / mib


def cpu(process: psutil.Process) -> float:
    """Seconds of processor time that it took."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def compare(
    name: str, unit: float, straight: Callable[[], Awaitable[float]], through: Callable[[], Awaitable[float]]
) -> None:
    """Both in turns; prints medians, in units of `unit` seconds."""
    pairs = [(await straight(), await through()) for _ in range(ROUNDS)]
    direct, proxied = (statistics.median(side) / unit for side in zip(*pairs, strict=True))
    print(f"{name}: {direct:.0f} straight, {proxied:.0f} through the proxy: {proxied - direct:+.0f}", flush=True)


async def measure(options: argparse.Namespace, socket: Path, port: int, proxy: psutil.Process) -> None:
    """Print what everything costs."""
    origin = f"http://{KEY}.localhost:{port}"
    given = Pass(KEY, PERSON, LOGIN, time.time())
    headers = {
        "Host": f"{KEY}.localhost:{port}",
        "Origin": origin,
        "Cookie": f"{cookie_name(site(origin))}={sign_pass(SECRET, given)}",
    }
    straight = Way("http://localhost", aiohttp.UnixConnector(str(socket)), {})
    through = Way(f"http://127.0.0.1:{port}", aiohttp.TCPConnector(), headers)
    turns, mib = options.turns // ROUNDS, options.megabytes // ROUNDS
    before = cpu(proxy)
    await compare(
        "round trip of a WebSocket, µs", 1e-6, lambda: straight.round_trips(turns), lambda: through.round_trips(turns)
    )
    print(f"  processor time of the proxy: {(cpu(proxy) - before) / (turns * ROUNDS) * 1e6:.0f} µs")
    before = cpu(proxy)
    await compare("small request, µs", 1e-6, lambda: straight.requests(turns), lambda: through.requests(turns))
    print(f"  processor time of the proxy: {(cpu(proxy) - before) / (turns * ROUNDS) * 1e6:.0f} µs")
    before = cpu(proxy)
    await compare("a MiB from the workload, µs", 1e-6, lambda: straight.down(mib), lambda: through.down(mib))
    print(f"  processor time of the proxy: {(cpu(proxy) - before) / (mib * ROUNDS) * 1e6:.0f} µs a MiB")
    before = cpu(proxy)
    await compare("a MiB to the workload, µs", 1e-6, lambda: straight.up(mib), lambda: through.up(mib))
    print(f"  processor time of the proxy: {(cpu(proxy) - before) / (mib * ROUNDS) * 1e6:.0f} µs a MiB")
    await idle(options, through, proxy)
    await straight.http.close()
    await through.http.close()


async def idle(options: argparse.Namespace, through: Way, proxy: psutil.Process) -> None:
    """What WebSockets cost that say nothing."""
    before = cpu(proxy)
    await asyncio.sleep(options.seconds)
    alone, memory = (cpu(proxy) - before) / options.seconds, proxy.memory_info().rss
    channels = [await through.http.ws_connect("/echo") for _ in range(options.idle)]
    await asyncio.sleep(1)
    before = cpu(proxy)
    await asyncio.sleep(options.seconds)
    busy, more = (cpu(proxy) - before) / options.seconds, proxy.memory_info().rss
    print(
        f"{options.idle} WebSockets that say nothing: {busy:.2%} of a processor ({alone:.2%} without), "
        f"{(more - memory) / 1024 / options.idle:.0f} KiB each, {more / MIB:.0f} MiB in all"
    )
    for channel in channels:
        await channel.close()


def _started(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    deadline = time.monotonic() + 60
    while b"listening" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{command} did not start: {log.read_text()}")
        time.sleep(0.05)
    return process


def main() -> int:
    """Start both, measure, end both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--idle", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return 0
    with tempfile.TemporaryDirectory(prefix="mwb-") as name:
        folder = Path(name)
        socket, key_file = folder / "s", folder / "key"
        key_file.write_text(SECRET)
        users = frozenset({PERSON})
        table.write(
            table.table_path(folder), [Entry(KEY, "session", "1", "a session", str(socket), EntryState.RUNNING, users)]
        )
        logins.write(logins.logins_path(folder), [LOGIN])
        workload = _started([sys.executable, "-m", "benchmarks.session_proxy", "--serve", str(socket)], folder / "w")
        command = [sys.executable, "-m", "sessions.proxy", "--listen", "127.0.0.1:0", "--data", str(folder)]
        proxy = _started([*command, "--key-file", str(key_file)], folder / "p")
        try:
            port = int((folder / "p").read_text().rpartition(":")[2])
            asyncio.run(measure(options, socket, port, psutil.Process(proxy.pid)))
        finally:
            for process in (proxy, workload):
                process.terminate()
                process.wait(20)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Load generator, in a process of its own: keeps some clients busy with one request each and measures every answer.

`python -m benchmarks.load --address HOST:PORT --path PATH --bodies FILE --clients N --seconds S [--header NAME:VALUE]`
prints one JSON object: answers per second, median and 99th percentile in milliseconds, failures.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any, cast

import uvloop


class Results:
    """What the clients of one run saw; answers before `start` are not counted."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end
        self.latencies: list[float] = []
        self.all_answers = 0
        self.failures = 0
        self.first_failure = ""

    def summary(self, clients: int) -> dict[str, Any]:
        """The figures of the run."""
        ordered = sorted(self.latencies)
        count = len(ordered)
        return {
            "clients": clients,
            "requests_per_second": round(count / (self.end - self.start), 1),
            "p50_ms": round(ordered[count // 2] * 1000, 2) if ordered else None,
            "p99_ms": round(ordered[min(count - 1, count * 99 // 100)] * 1000, 2) if ordered else None,
            "answers": count,
            "all_answers": self.all_answers,
            "failures": self.failures,
            "first_failure": self.first_failure,
        }


class Client(asyncio.Protocol):
    """One keep-alive connection that sends its next request when the last one is answered."""

    def __init__(self, requests: list[bytes], offset: int, results: Results, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._index = offset
        self._results = results
        self._done = done
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._fail("connection lost")
            self._done.set_result(None)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        head = buffer.find(b"\r\n\r\n")
        if head < 0 or len(buffer) < head + 4 + _content_length(buffer[:head]):
            self._buffer = buffer
            return
        self._buffer = b""
        now = time.perf_counter()
        self._results.all_answers += 1
        if buffer[9:12] != b"200":
            self._fail(buffer[:400].decode("latin-1"))
        elif self._results.start <= now <= self._results.end:
            self._results.latencies.append(now - self._sent)
        if now < self._results.end:
            self._send()
        elif not self._done.done():
            self._done.set_result(None)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        self._index = (self._index + 1) % len(self._requests)
        self._sent = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._requests[self._index])

    def _fail(self, text: str) -> None:
        self._results.failures += 1
        self._results.first_failure = self._results.first_failure or text


def _content_length(head: bytes) -> int:
    start = head.lower().find(b"content-length:") + 15
    end = head.find(b"\r\n", start)
    return int(head[start:] if end < 0 else head[start:end])


async def run(address: str, requests: list[bytes], clients: int, seconds: float, warm_up: float) -> dict[str, Any]:
    """Load `address` for `warm_up` + `seconds` and return the figures of the latter."""
    loop = asyncio.get_running_loop()
    host, _, port = address.rpartition(":")
    start = time.perf_counter() + warm_up
    results = Results(start, start + seconds)
    opened, waits = [], []
    for number in range(clients):
        done: asyncio.Future[None] = loop.create_future()
        client = Client(requests, number * 7, results, done)
        await loop.create_connection(lambda client=client: client, host, int(port))  # type: ignore[misc]
        opened.append(client)
        waits.append(done)
    await asyncio.wait(waits, timeout=warm_up + seconds + 60)
    for client in opened:
        client.close()
    return results.summary(clients)


def request_bytes(address: str, path: str, headers: list[str], body: bytes) -> bytes:
    """An HTTP/1.1 POST."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {address}", "Content-Type: application/json", *headers]
    return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n").encode() + body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--bodies", type=Path, required=True, help="a JSON list of request bodies")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0)
    parser.add_argument("--header", action="append", default=[])
    options = parser.parse_args()
    gc.disable()
    bodies = [json.dumps(body, separators=(",", ":")).encode() for body in json.loads(options.bodies.read_bytes())]
    requests = [request_bytes(options.address, options.path, options.header, body) for body in bodies]
    summary = uvloop.run(run(options.address, requests, options.clients, options.seconds, options.warm_up))
    json.dump(summary, sys.stdout)


if __name__ == "__main__":
    main()

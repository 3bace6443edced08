"""Programs of the tests that run in containers: a replica that only answers pings, and a router that asks it.

`swarm_replica.py serve VERSION` listens as model servers do, with the token of its environment.
`swarm_replica.py route HOST PORT TOKEN NAME` asks all the time, each time over a new connection, and tells every second
what came of it. A request is repeated at the other addresses and for some seconds: pings have no side effects.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from typing import Any

from modelwright_runtime.handshake import introduce
from modelwright_runtime.server import frames
from modelwright_runtime.server.listener import Listener, Network
from modelwright_runtime.server.vitals import Vitals

PORT = 9000
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 3.0


class NoModel:
    """Stands where predictions are made."""

    vitals = Vitals()

    def busy_seconds(self) -> float:
        return 0.0

    def idle(self) -> bool:
        return True


async def serve(version: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    token = os.environ.pop("MODELWRIGHT_REPLICA_TOKEN")
    network = Network("0.0.0.0", PORT, os.environ["MODELWRIGHT_WORKLOAD"], token)
    model: Any = NoModel()
    listener = Listener(None, model, version_id=version, network=network)
    await listener.open()
    print(f"version {version} listens", flush=True)
    await stop.wait()
    await listener.drain(timeout=5)
    print(f"version {version} drained", flush=True)


def route(host: str, port: int, token: str, name: str) -> None:
    answers: dict[str, int] = {}
    failures, told_at, longest = [], 0.0, 0.0
    while True:
        began = time.monotonic()
        version, error = "", "no address"
        while not version and time.monotonic() - began < PATIENCE_SECONDS:
            version, error = ask_any(host, port, token, name)
        longest = max(longest, time.monotonic() - began)
        if version:
            answers[version] = answers.get(version, 0) + 1
        else:
            failures.append(error)
        if time.monotonic() - told_at > 0.5:
            told_at = time.monotonic()
            told = {"last": version, "answers": answers, "failures": failures[-5:], "failed": len(failures)}
            print(json.dumps({**told, "longest": round(longest, 3)}), flush=True)
        time.sleep(PAUSE_SECONDS)


def ask_any(host: str, port: int, token: str, name: str) -> tuple[str, str]:
    """The version that answers, or why none does."""
    error = "no address"
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)}
    except OSError as problem:
        time.sleep(0.1)
        return "", f"{problem}"
    for address in found:
        try:
            with socket.create_connection((address, port), 1.0) as connection:
                introduce(connection, token, name)
                connection.sendall(frames.pack(1, frames.PING, b"{}"))
                reader = frames.FrameReader()
                while data := connection.recv(65536):
                    for frame in reader.feed(data):
                        return str(json.loads(frame.payload)["version_id"]), ""
                error = "closed"
        except Exception as problem:
            error = f"{problem}"
    time.sleep(0.1)
    return "", error


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2]))
    else:
        route(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])

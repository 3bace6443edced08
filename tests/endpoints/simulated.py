"""Stand-ins for what takes long to start: model servers that speak frames from a thread, a gateway that reads the real
table and says which one it has, a host that starts and ends replicas when it is told to."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Coroutine
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from django.utils import timezone
from modelwright_runtime.server import frames

from models.endpoints.addresses import address
from models.endpoints.models import Replica
from models.gateway.routes import EMPTY, RouteTable
from models.gateway.watching import RouteWatcher
from modelwright.compute import transitions
from modelwright.compute.models import Host, Workload


class ModelServers:
    """Listens on as many sockets as are asked for, on one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: dict[str, asyncio.Server] = {}

    @property
    def sockets(self) -> set[str]:
        """Where somebody answers."""
        return set(self._servers)

    def start(self, socket: str, version_id: str) -> None:
        """Answer there for the version."""
        Path(socket).parent.mkdir(mode=0o700, parents=True, exist_ok=True)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received = frames.FrameReader()
            while data := await reader.read(65536):
                for frame in received.feed(data):
                    pong = json.dumps({"version_id": version_id, "pid": 1}).encode()
                    writer.write(frames.pack(frame.correlation_id, frames.PONG, pong))
            writer.close()

        self._servers[socket] = self._do(asyncio.start_unix_server(answer, socket))

    def stop(self, socket: str) -> None:
        """Answer no more there."""
        server = self._servers.pop(socket, None)
        if server is not None:
            self._loop.call_soon_threadsafe(server.close)
            shutil.rmtree(Path(socket).parent, ignore_errors=True)

    def close(self) -> None:
        """End all, and the thread."""
        for socket in self.sockets:
            self.stop(socket)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


class SimulatedGateway:
    """Takes up the table whenever it is asked which it has, unless it is `frozen`; answers `/health/ready`."""

    def __init__(self, routes: Path) -> None:
        self.table: RouteTable = EMPTY
        self.frozen = False
        self._routes = routes
        self._watcher = RouteWatcher(routes, self._apply)
        ready = self._ready

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = ready()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.02), daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """A new process knows nothing but the file."""
        self.table, self._watcher = EMPTY, RouteWatcher(self._routes, self._apply)
        self._watcher.check()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def _apply(self, table: RouteTable) -> None:
        self.table = table

    def _ready(self) -> bytes:
        if not self.frozen:
            self._watcher.check()
        return json.dumps({"revision": self.table.revision}).encode()


class SimulatedHost:
    """Does with the replicas of `host` what a watcher and a backend would, one round at a time."""

    def __init__(self, host: Host, servers: ModelServers, is_hopeless: Callable[[str], bool]) -> None:
        self._host = host
        self._servers = servers
        self._is_hopeless = is_hopeless
        # Told of each socket whose server ends because it was asked to.
        self.on_end: Callable[[str], None] = lambda _socket: None

    def turn(self) -> None:
        """Start what is queued, end what was asked to end."""
        for workload in Workload.objects.filter(kind="replica", finished_at=None).order_by("pk"):
            if workload.cancel_requested_at is not None:
                socket = address(workload.replica)
                self.on_end(socket or "")
                self._end(workload, "cancelled")
            elif workload.state == "queued":
                self._start(workload)

    def crash(self, replica: Replica) -> None:
        """Its process is gone."""
        self._end(replica.workload, "failed")

    def _start(self, workload: Workload) -> None:
        fence = transitions.place(workload, self._host, environment=None)
        assert fence is not None
        transitions.begin_start(workload.pk, fence)
        transitions.mark_running(workload.pk, fence, started_at=timezone.now())
        replica = Replica.objects.select_related("workload__host").get(workload=workload)
        if self._is_hopeless(str(replica.model_version_id)):
            self._end(replica.workload, "failed")
            return
        socket = address(replica)
        assert socket is not None
        self._servers.start(socket, str(replica.model_version_id))

    def _end(self, workload: Workload, cause: str) -> None:
        if socket := address(Replica.objects.select_related("workload__host").get(workload=workload)):
            self._servers.stop(socket)
        transitions.end(workload.pk, workload.fence, cause=cause, facts={})

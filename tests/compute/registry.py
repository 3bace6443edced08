"""As much of a container registry as a push needs, over HTTP on this machine."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Registry:
    """Takes whatever is pushed. `manifests` maps `<repository>:<tag>` to what was stored."""

    def __init__(self) -> None:
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        registry = self

        class Handler(_Handler):
            known = registry

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    known: Registry
    protocol_version = "HTTP/1.1"
    upload = b""

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": "0", **given}.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self) -> None:
        data = self.known.blobs.get(self.path.rpartition("/")[2])
        self._answer(404) if data is None else self._answer(200, Content_Length=str(len(data)))

    def do_POST(self) -> None:
        self._answer(202, Location=f"{self.path.rstrip('/')}/{id(self)}", Docker_Upload_UUID="1", Range="0-0")

    def do_PATCH(self) -> None:
        data = self._body()
        self.known.blobs[self.path] = data
        self._answer(202, Location=self.path, Docker_Upload_UUID="1", Range=f"0-{max(0, len(data) - 1)}")

    def do_PUT(self) -> None:
        body = self._body()
        name, kind, tag = self.path.removeprefix("/v2/").rsplit("/", 2)
        if kind == "manifests":
            self.known.manifests[f"{name}:{tag}"] = body
        else:
            body = self.known.blobs.pop(self.path.partition("?")[0], b"") + body
            self.known.blobs[f"sha256:{hashlib.sha256(body).hexdigest()}"] = body
        self._answer(201, Docker_Content_Digest=f"sha256:{hashlib.sha256(body).hexdigest()}")

    def log_message(self, format: str, *values: object) -> None:
        pass

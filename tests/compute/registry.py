"""As much of a container registry as a push and a pull need, over HTTP on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Registry:
    """Takes whatever is pushed, and gives it out. `manifests` maps `<repository>:<tag>` to what was stored."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        registry = self

        class Handler(_Handler):
            known = registry

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self.name = f"{address}:{self._server.server_address[1]}"
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
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _stored(self) -> tuple[bytes, str] | None:
        """(what the path names, its type): a layer, or a manifest by its tag or its digest."""
        name, kind, last = self.path.removeprefix("/v2/").rsplit("/", 2)
        if kind != "manifests":
            data = self.known.blobs.get(last)
            return None if data is None else (data, "application/octet-stream")
        for tagged, text in self.known.manifests.items():
            if tagged == f"{name}:{last}" or _digest(text) == last:
                return text, str(json.loads(text).get("mediaType"))
        return None

    def do_GET(self) -> None:
        if self.path == "/v2/":
            self._answer(200)
            return
        if found := self._give():
            self.wfile.write(found)

    def do_HEAD(self) -> None:
        self._give()

    def _give(self) -> bytes:
        found = self._stored()
        if found is None:
            self._answer(404)
            return b""
        data, media = found
        self._answer(200, Content_Length=str(len(data)), Content_Type=media, Docker_Content_Digest=_digest(data))
        return data

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
            self.known.blobs[_digest(body)] = body
        self._answer(201, Docker_Content_Digest=_digest(body))

    def log_message(self, format: str, *values: object) -> None:
        pass


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"

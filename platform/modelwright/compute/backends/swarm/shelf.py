"""Hands packs to the tasks that they were made for: `GET /<workload key>/<sha256>`, with the workload's own token."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from modelwright.compute.backends.base import WorkloadKey
from modelwright.compute.backends.shim import record
from modelwright.compute.backends.swarm.config import Shelf
from modelwright.compute.backends.swarm.packs import path_of

logger = logging.getLogger(__name__)
GRANT = "shelf.json"
TIMEOUT_SECONDS = 60.0
_PATH = re.compile(r"/([0-9a-f-]{36}-[0-9]+)/([0-9a-f]{64})")


def grant(folder: Path, digests: Iterable[str]) -> str:
    """A new token with which the workload of that folder may fetch these packs, besides those granted before."""
    token = secrets.token_hex(32)
    known = record.read_json(str(folder / GRANT)) or {}
    values = {
        "tokens": [*known.get("tokens", []), _hash(token)],
        "digests": sorted({*known.get("digests", []), *digests}),
    }
    record.write_json(str(folder / GRANT), values)
    os.chmod(folder / GRANT, 0o600)
    return token


def granted(folder: Path) -> set[str]:
    """The digests of all packs that the workload of that folder may fetch."""
    return set((record.read_json(str(folder / GRANT)) or {}).get("digests", []))


def revoke(folder: Path) -> None:
    """Its tokens open nothing any more."""
    (folder / GRANT).unlink(missing_ok=True)


class ShelfServer:
    """Serves the packs of one root folder in threads of its own."""

    def __init__(self, root: Path, address: Shelf) -> None:
        """Listens from here on. Raises OSError when the address cannot be had."""

        class Handler(_Handler):
            folder = root

        self._server = ThreadingHTTPServer((address.host, address.port), Handler)
        self._server.daemon_threads = True
        self.address = Shelf(address.host, int(self._server.server_address[1]))
        threading.Thread(target=self._server.serve_forever, args=(0.5,), name="shelf", daemon=True).start()

    def close(self) -> None:
        """Stops; what is being fetched breaks off, and is fetched again from the next one."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    timeout = TIMEOUT_SECONDS
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        path = self._permitted()
        if path is None:
            # Whoever may not have it does not learn whether it is there.
            self.send_error(404)
            return
        with contextlib.suppress(ConnectionError, TimeoutError), path.open("rb") as stream:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-tar")
            self.send_header("Content-Length", str(os.fstat(stream.fileno()).st_size))
            self.end_headers()
            shutil.copyfileobj(stream, self.wfile, 1024 * 1024)

    def log_message(self, format: str, *values: object) -> None:
        logger.debug(format, *values)

    def _permitted(self) -> Path | None:
        found = _PATH.fullmatch(self.path)
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if found is None or kind != "Bearer":
            return None
        key, digest = found.groups()
        grants = record.read_json(str(self.folder / WorkloadKey.parse(key).name / GRANT)) or {}
        given = _hash(token)
        is_known = any(hmac.compare_digest(given, known) for known in grants.get("tokens", []))
        path = path_of(self.folder, digest)
        return path if is_known and digest in grants.get("digests", []) and path.exists() else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

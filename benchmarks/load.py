"""Load over HTTP by `load.c`, which is compiled once: its processor time must not be what is measured."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("load.c")
WARM_UP = 1.0


def program() -> Path:
    """The compiled program, in a folder of this user's. Raises SystemExit where there is no C compiler."""
    digest = sha256(SOURCE.read_bytes()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"modelwright-load-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise SystemExit(f"{folder} belongs to another user; set TMPDIR to a folder of your own")
    path = folder / digest
    if not path.exists():
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise SystemExit("the load generator needs a C compiler (cc): install gcc or clang")
        new = path.with_suffix(".new")
        subprocess.run([compiler, "-O2", "-o", str(new), str(SOURCE), "-lm"], check=True)
        new.replace(path)
    return path


def write_requests(file: Path, address: str, path: str, headers: Sequence[str], bodies: Sequence[Any]) -> None:
    """Write the requests that `load.c` sends, one for each body."""
    with file.open("wb") as out:
        for body in bodies:
            request = _request(address, path, headers, json.dumps(body, separators=(",", ":")).encode())
            out.write(struct.pack("<I", len(request)) + request)


def run(port: int, requests: Path, *, clients: int, seconds: float, rate: float = 0.0) -> dict[str, Any]:
    """Ask the port of this machine and return the figures: `requests_per_second`, `p50_ms`, `p99_ms`, `answers`,
    `all_answers`, `failures`, `first_failure`. With a `rate`, so many arrive a second, however long answers take."""
    command = [str(program()), "127.0.0.1", str(port), str(requests), str(clients), str(seconds), str(WARM_UP)]
    result = subprocess.run([*command, str(rate)], check=True, capture_output=True, timeout=seconds + 180)
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def _request(address: str, path: str, headers: Sequence[str], body: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {address}", "Content-Type: application/json", *headers]
    return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n").encode() + body
